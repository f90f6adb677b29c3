"""The command `adlens compile`."""

import argparse
import datetime
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.kubeflow.compile_config import KINDS, TARGETS, CompileConfig
from pipeline.kubeflow.sdk import need_sdk
from pipeline.kubeflow.stage_resources import StageResources
from transforms.input_error import InputError

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline

    from pipeline.config import RunConfig

_CORES = re.compile(r"[0-9]+(\.[0-9]+)?")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Adds the flags of `adlens compile`, but for those of the configuration."""
    command.add_argument("--target", choices=TARGETS, default="kubeflow", help="who runs it")
    command.add_argument("--out", type=Path, required=True, help="the YAML file to write")
    command.add_argument("--root", required=True, help="ROOT, a folder that all containers see")
    command.add_argument("--image", required=True, metavar="NAME@sha256:…", help="the project's image")
    command.add_argument("--allow-tag", action="store_true", help="take an image by a tag")
    command.add_argument("--logs", default="", help="the default of the run's parameter logs")
    command.add_argument("--daily", action="store_true", help="for runs by days, which have a parameter date")
    command.add_argument("--volume-claim", default="", metavar="NAME", help="the claim that holds ROOT")
    command.add_argument("--mount-path", default="", help="where it is mounted; ROOT if not said")
    command.add_argument(
        "--retries", type=int, default=2, metavar="N", help="how often a failed stage is tried again"
    )
    command.add_argument(
        "--no-reuse", action="store_true", help="run every stage, also where an earlier run has done its work"
    )
    command.add_argument(
        "--accelerator", default="", metavar="NAME=N", help="what each trainer gets, e.g. nvidia.com/gpu=1"
    )
    command.add_argument(
        "--resources",
        action="append",
        default=[],
        metavar="STAGE=CPU,MEMORY",
        help=f"what a stage or a kind of stages ({', '.join(KINDS)}) gets, e.g. CtrTrainer=16,64G",
    )
    command.add_argument(
        "--beam-arg", action="append", default=[], metavar="FLAG", help="a flag for Beam (repeatable)"
    )


def run(options: argparse.Namespace) -> int:
    """Compiles the pipeline as the flags say. Returns the exit status."""
    need_sdk()
    config = compile_config(options)
    from pipeline.config import merge, parse_settings, read_yaml
    from pipeline.kubeflow.run_config import run_config
    from pipeline.progress import quiet

    settings = merge(read_yaml(options.config) if options.config else {}, parse_settings(options.set))
    configured = run_config(config.preset, settings)
    print("adlens: loading TensorFlow and TFX", file=sys.stderr, flush=True)
    # What libraries say while they are loaded, and tell nobody: errors are raised.
    with quiet(os.devnull):
        from pipeline.kubeflow.compile_pipeline import compile_pipeline

        text, tasks = compile_pipeline(_pipelines(config, configured), settings, config)
    try:
        options.out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out {options.out}: cannot be written: {error.strerror}") from error
    if config.allow_tag and "@" not in config.image:
        print(f"adlens: {config.image} is a tag: what it names may change between stages", file=sys.stderr)
    print(f"{options.out}: {tasks} tasks for {config.target}")
    return 0


def compile_config(options: argparse.Namespace) -> CompileConfig:
    """What the flags say, checked."""
    accelerator, count = _accelerator(options.accelerator)
    return CompileConfig(
        target=options.target,
        image=options.image,
        root=options.root.rstrip("/") or "/",
        logs=options.logs,
        preset="" if options.config else options.preset,
        volume_claim=options.volume_claim,
        mount_path=options.mount_path,
        daily=options.daily,
        allow_tag=options.allow_tag,
        retries=options.retries,
        reuse=not options.no_reuse,
        accelerator=accelerator,
        accelerator_count=count,
        resources=_resources(options.resources),
        beam_args=tuple(options.beam_arg),
    )


def _pipelines(config: CompileConfig, run_config: "RunConfig") -> "list[Pipeline]":
    """One for each kind of run that the compiled one has to serve."""
    from pipeline.daily.day import Day
    from pipeline.pipeline import create_pipeline

    if not config.daily:
        return [create_pipeline("", config.container_root, run_config)]
    # The first day, one that goes on and trains encoders, and one that goes on with the last encoders.
    kinds = ((True, True), (False, True), (False, False))
    days = [Day(datetime.date(2000, 1, 1), first, trains_encoders) for first, trains_encoders in kinds]
    return [create_pipeline("", config.container_root, run_config, day=day) for day in days]


def _accelerator(text: str) -> tuple[str, int]:
    if not text:
        return "", 0
    name, _, count = text.partition("=")
    if not (name and count.isdecimal() and int(count)):
        raise InputError(f"--accelerator expects NAME=N such as nvidia.com/gpu=1, got {text!r}")
    return name, int(count)


def _resources(texts: Sequence[str]) -> dict[str, StageResources]:
    found = {}
    for text in texts:
        name, _, amounts = text.partition("=")
        cpu, _, memory = amounts.partition(",")
        if not (name and _CORES.fullmatch(cpu)):
            raise InputError(f"--resources expects STAGE=CPU,MEMORY such as CtrTrainer=16,64G, got {text!r}")
        found[name] = StageResources(float(cpu), memory)
    return found
