"""The contracts are not test files, but their asserts should explain themselves like those of one."""

import pytest

pytest.register_assert_rewrite(
    "tests.contract.activity_world",
    "tests.contract.catalogue_contract",
    "tests.contract.cloud_contract",
    "tests.contract.controls_contract",
    "tests.contract.history_contract",
    "tests.contract.leases_contract",
    "tests.contract.line_contract",
    "tests.contract.lifetimes_contract",
    "tests.contract.outbox_contract",
    "tests.contract.presence_contract",
    "tests.contract.put_off_contract",
    "tests.contract.readiness_contract",
    "tests.contract.registry_contract",
    "tests.contract.sessions_contract",
    "tests.contract.tokens_contract",
)
