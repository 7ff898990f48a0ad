"""The results for a person: one table."""

from typing import Any


def show(results: dict[str, Any]) -> None:
    """Print them."""
    where, sqlite, postgresql = results["machine"], results["sqlite"], results["postgresql"]
    print(f"{results['measured_at']}  {where['system']}, {where['cores']} cores, Python {where['python']}")
    print(
        f"SQLite {sqlite['version']} ({sqlite['journal_mode']}, synchronous={sqlite['synchronous']}), "
        f"PostgreSQL {postgresql['version']} (fsync={postgresql['fsync']}), "
        f"one fsync {where['fsync_ms']} ms; load average {where['load_average'][0]}"
    )
    print(
        f"gunicorn {where['gunicorn']}, {results['threads']} threads a process, as many connections, "
        f"closed loop; median of {results['rounds']} rounds of {results['seconds_a_round']:g} s\n"
    )
    print(
        f"{'GET /<project>':<26}{'processes':>9}{'per second':>12}{'lowest':>8}{'highest':>8}"
        f"{'of bare':>9}{'p50 ms':>8}{'p99 ms':>8}{'longest':>9}"
    )
    for row in results["closed_loop"]:
        rates = row["per_second_by_round"]
        print(
            f"{row['request']:<26}{row['processes']:>9}{row['per_second']:>12.0f}{min(rates):>8.0f}"
            f"{max(rates):>8.0f}{row['ratio_to_bare']:>9.2f}{row['p50_ms']:>8.2f}{row['p99_ms']:>8.2f}"
            f"{row['max_ms']:>9.1f}"
        )
    opened = results["open_model_new_project_sqlite"]
    print(f"\nNew projects on SQLite at {opened['1']['rate_per_second']:.0f} a second, answered or not:")
    for processes, row in opened.items():
        print(
            f"{processes} process{'es' if processes != '1' else ''}: p50 {row['p50_ms']:.2f} ms, "
            f"p99 {row['p99_ms']:.2f} ms, longest {row['max_ms']:.1f} ms ({row['requests']} requests)"
        )
    _show_dashboard(results["dashboard"])


def _show_dashboard(seen: dict[str, Any]) -> None:
    print(
        f"\nDashboard, {seen['instances']:,} instances, {seen['requests_of_each_kind']} requests of a kind:"
    )
    print(
        f"first page {seen['first_page_ms']:.0f} ms (longest {seen['first_page_max_ms']:.0f} ms, "
        f"{seen['first_page_kb']:.0f} kB); one poll {seen['poll_cpu_ms']:.1f} ms of CPU with news "
        f"({seen['poll_kb']:.0f} kB), {seen['quiet_poll_cpu_ms']:.1f} ms without; "
        f"one chart {seen['chart_cpu_ms']:.1f} ms"
    )
    print(
        f"a viewer takes {seen['share_of_a_core_per_viewer']:.2%} of one core where each poll finds news, "
        f"{seen['share_of_a_core_at_rest']:.2%} at rest (promised: below {seen['promised_share']:.0%})"
    )
