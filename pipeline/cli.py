"""The `adlens` command. Each command imports what it needs, so that help answers at once."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from transforms.input_error import InputError

if TYPE_CHECKING:
    from pipeline.config import RunConfig

PRESET_NAMES = ("tiny", "demo", "movielens", "full")
EXPERIMENTS = ("table2", "table3", "epochs", "correlation", "groups", "make_epochs", "recall")
SIMULATIONS = ("tiny", "demo", "bench")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit status: 0, 1 for what a user can mend, 3 for alerts that were asked for."""
    # The libraries' start-up chatter; what they say later goes to the run's log.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    options = _parser().parse_args(arguments)
    options.line = shlex.join(["adlens", *(sys.argv[1:] if arguments is None else arguments)])
    try:
        return options.command(options)
    except InputError as error:
        if options.debug:
            raise
        print(f"adlens: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("adlens: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="adlens", description="Multimodal advertising models, from logs to serving."
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    simulate = _command(commands, "simulate", _simulate, "write the four logs of a simulated marketplace")
    simulate.add_argument("--preset", choices=SIMULATIONS, default="tiny", help="how large; tiny if not said")
    simulate.add_argument("--out", type=Path, required=True, help="the folder to write the logs to")

    text = "make the four logs from real data"
    importing = commands.add_parser("import", help=text, description=_sentence(text))
    sources = importing.add_subparsers(title="sources", required=True, metavar="SOURCE")
    movielens = _command(sources, "movielens", _import_movielens, "MovieLens ratings and posters")
    movielens.add_argument(
        "--input", type=Path, required=True, help="the folder of ratings.csv and movies.csv"
    )
    movielens.add_argument("--posters", type=Path, required=True, help="the folder of <movieId>.jpg")
    movielens.add_argument("--query-posters", type=Path, help="the folder of posters to search with")
    movielens.add_argument("--out", type=Path, required=True, help="the folder to write the logs to")

    check = _command(commands, "check", _check, "say what a run would reject and why")
    check.add_argument("--logs", required=True, help="the folder of the four logs")
    _add_config(check)

    run = _command(commands, "run", _run, "run the whole pipeline, resuming from what is done")
    run.add_argument("--logs", required=True, help="the folder of the four logs")
    run.add_argument("--root", required=True, help="the folder for artifacts, models and the report")
    _add_config(run)
    run.add_argument(
        "--runner",
        choices=("local", "beam"),
        default="local",
        help="a stage at a time, or all of them as one Beam pipeline",
    )
    run.add_argument(
        "--date",
        metavar="DAY",
        help="go on with one day, such as 2024-01-31, or with A..B, one after another",
    )
    run.add_argument(
        "--beam-arg", action="append", default=[], metavar="FLAG", help="a flag for Beam (repeatable)"
    )

    experiment = _command(
        commands, "experiment", _experiment, "make the papers' tables and figures on these logs"
    )
    experiment.add_argument("--logs", required=True, help="the folder of the four logs")
    experiment.add_argument("--root", required=True, help="the folder for artifacts and results")
    experiment.add_argument(
        "--only",
        nargs="+",
        choices=EXPERIMENTS,
        default=EXPERIMENTS,
        metavar="NAME",
        help=f"of {', '.join(EXPERIMENTS)}",
    )
    experiment.add_argument(
        "--methods",
        nargs="+",
        default=[],
        metavar="NAME",
        help="of table2's encoders: these alone, e.g. backbone scl",
    )
    experiment.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds of each method")
    _add_config(experiment)

    _add_servers(commands)

    from pipeline.monitoring import cli as monitoring

    monitoring.add_run_argument(run)
    alerts = _command(commands, "alerts", monitoring.run, "say what of the last run somebody should look at")
    monitoring.add_arguments(alerts)

    _add_kubeflow(commands)

    report = _command(commands, "report", _report, "write the HTML report of a finished run again")
    report.add_argument("--root", required=True, help="the folder that the run was given")
    return parser


def _add_servers(commands: argparse._SubParsersAction) -> None:
    """What runs on and answers requests; their flags are their own."""
    from serving.encoder_service import cli as encoder_service
    from serving.gateway import cli as gateway
    from serving.model_server import cli as model_server
    from serving.release import cli as publisher
    from serving.stack import cli as stack

    for name, server, text in (
        ("model-server", model_server, "serve pushed models as TF Serving does, with its flags"),
        ("serve", stack, "serve what a run pushed: models, new items, recommendations, search"),
        ("publish", publisher, "bring what a run released into the stores that serving reads"),
        ("encoder-service", encoder_service, "encode new and changed items as they come"),
        ("gateway", gateway, "recommend ads, find similar items and take new ones over HTTP"),
    ):
        server.add_arguments(_command(commands, name, server.run, text))


def _add_kubeflow(commands: argparse._SubParsersAction) -> None:
    """What takes the pipeline to a cluster."""
    from pipeline.kubeflow import cli, submit_cli

    compiling = _command(commands, "compile", cli.run, "write the pipeline for Kubeflow Pipelines v2")
    cli.add_arguments(compiling)
    _add_config(compiling)
    submitting = _command(
        commands, "submit", submit_cli.run, "start a compiled pipeline on Kubeflow Pipelines and follow it"
    )
    submit_cli.add_arguments(submitting)


def _command(
    commands: argparse._SubParsersAction, name: str, run: Callable, text: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=_sentence(text))
    command.set_defaults(command=run)
    command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return command


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _add_config(command: argparse.ArgumentParser) -> None:
    source = command.add_mutually_exclusive_group()
    source.add_argument(
        "--preset", choices=PRESET_NAMES, default="demo", help="a named configuration; demo if not said"
    )
    source.add_argument("--config", help="a YAML file of configuration values")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a configuration value over these, e.g. ctr.batch_size=256 (repeatable)",
    )


def _config(options: argparse.Namespace) -> "RunConfig":
    from pipeline.config import RunConfig, override, parse_settings, read_yaml
    from pipeline.presets import preset

    config = override(RunConfig(), read_yaml(options.config)) if options.config else preset(options.preset)
    return override(config, parse_settings(options.set))


def _simulate(options: argparse.Namespace) -> int:
    from sources.marketplace.presets import PRESETS
    from sources.marketplace.simulate import simulate

    found = simulate(PRESETS[options.preset], options.out, _show_progress)
    rows = ", ".join(f"{count:,} {log}" for log, count in found["rows"].items())
    print(f"{options.out}: {rows}; the best possible AUC on the last tenth is {found['oracle_auc']:.4f}")
    return 0


def _import_movielens(options: argparse.Namespace) -> int:
    from sources.movielens import import_movielens

    rows = import_movielens(
        options.input, options.posters, options.out, options.query_posters, _show_progress
    )
    print(f"{options.out}: {', '.join(f'{count:,} {log}' for log, count in rows.items())}")
    return 0


def _show_progress(stage: str, done: int, total: int) -> None:
    end = "\n" if done >= total else "\r"
    if done >= total or sys.stderr.isatty():
        print(f"  {stage}: {done:,} of {total:,}", end=end, file=sys.stderr, flush=True)


def _check(options: argparse.Namespace) -> int:
    config = _config(options)
    from rich.console import Console

    from pipeline.check import check_logs, print_check
    from pipeline.progress import find_input_error

    try:
        counts = check_logs(options.logs, config.ingest)
    except Exception as error:
        mistake = find_input_error(error)
        if mistake is None:
            raise
        raise mistake from error
    print_check(counts, Console(highlight=False))
    if counts["problems"]:
        raise InputError(counts["problems"][0])
    return 0


def _run(options: argparse.Namespace) -> int:
    config = _config(options)
    from pipeline.monitoring.cli import alert_status
    from pipeline.progress import quiet
    from pipeline.root import Root

    places = Root(os.path.abspath(options.root))
    print("adlens: loading TensorFlow and TFX", file=sys.stderr, flush=True)
    with quiet(places.log) as out:
        from components.report.table import print_summary
        from pipeline.daily.plan import parse_dates
        from pipeline.not_run import NotRun
        from pipeline.run import run

        alerts: list[dict[str, str]] = []
        try:
            for date in parse_dates(options.date) if options.date else [None]:
                if date is not None:
                    print(f"adlens: day {date}", file=out, flush=True)
                summary = run(options.logs, options.root, config, options.runner, options.beam_arg, out, date)
                alerts += summary["alerts"]
        except (InputError, NotRun):
            raise
        except Exception:
            print(f"adlens: a stage failed; {places.log} has all that was said before", file=out)
            raise
    print_summary(summary, Path(Root(options.root).report))
    return alert_status(alerts, options.alert)


def _experiment(options: argparse.Namespace) -> int:
    if options.seeds < 1:
        raise InputError(f"--seeds must be at least 1, got {options.seeds}")
    config = _config(options)
    from pipeline.progress import quiet
    from pipeline.root import Root

    places = Root(os.path.abspath(options.root))
    print("adlens: loading TensorFlow and TFX", file=sys.stderr, flush=True)
    with quiet(places.log) as out:
        from pipeline.experiment.runner import print_experiment, run_experiment

        try:
            found = run_experiment(
                options.logs,
                options.root,
                config,
                options.only,
                options.methods,
                options.seeds,
                options.line,
                out,
            )
        except InputError:
            raise
        except Exception:
            print(f"adlens: a trial failed; {places.log} has all that was said before", file=out)
            raise
    print_experiment(found, Path(Root(options.root).experiment_page))
    return 0


def _report(options: argparse.Namespace) -> int:
    from pipeline.progress import quiet
    from pipeline.root import Root

    places = Root(os.path.abspath(options.root))
    if not os.path.exists(places.metadata):
        raise InputError(
            f"{options.root}: expected the root of a run, found no {os.path.basename(places.metadata)}"
        )
    with quiet(places.log):
        from components.report.table import print_summary
        from pipeline.run import refresh_last_report

        summary = refresh_last_report(places)
    print_summary(summary, Path(Root(options.root).report))
    return 0
