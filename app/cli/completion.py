"""`ec2-orchestrator completion`."""

import click
from click.shell_completion import get_completion_class

_EPILOG = """\b
bash, for good (bash 4.4 or newer):
  echo 'eval "$(ec2-orchestrator completion bash)"' >> ~/.bashrc

\b
zsh, for good:
  echo 'eval "$(ec2-orchestrator completion zsh)"' >> ~/.zshrc

\b
fish, for good:
  ec2-orchestrator completion fish > ~/.config/fish/completions/ec2-orchestrator.fish

For this shell alone: eval "$(ec2-orchestrator completion bash)".
"""


@click.command("completion", short_help="Print the completion script of a shell.", epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print what lets SHELL complete commands, options, and the names of pools, projects and instances.

    Names are asked of the service that ORCHESTRATOR_URL and ORCHESTRATOR_TOKEN name, for a second at most.
    """
    root = context.find_root()
    name = root.info_name or ""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"click knows no completion for {shell}.")
    click.echo(kind(root.command, {}, name, f"_{name.replace('-', '_').upper()}_COMPLETE").source())
