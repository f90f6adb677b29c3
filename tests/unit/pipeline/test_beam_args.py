"""Which of Beam's flags count, and what is said of wrong ones."""

import re
import socket

import pytest
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)
from tfx.utils.dependency_utils import make_beam_dependency_flags

from pipeline.beam_args import LOCAL_BEAM_ARGS, join_beam_args
from transforms.input_error import InputError


def test_without_flags_the_work_stays_in_this_process() -> None:
    options = PipelineOptions(list(join_beam_args(())))
    assert options.view_as(StandardOptions).runner == "DirectRunner"
    assert options.view_as(DirectOptions).direct_running_mode == "in_memory"


def test_tfx_builds_no_package_for_work_in_this_process() -> None:
    flags = list(join_beam_args(()))
    assert make_beam_dependency_flags(flags) == flags


def test_a_users_flags_count_more_than_the_local_ones() -> None:
    options = PipelineOptions(list(join_beam_args(("--direct_running_mode=multi_processing",))))
    assert options.view_as(StandardOptions).runner == "DirectRunner"
    assert options.view_as(DirectOptions).direct_running_mode == "multi_processing"
    with socket.create_server(("127.0.0.1", 0)) as service:
        endpoint = f"127.0.0.1:{service.getsockname()[1]}"
        flags = join_beam_args(("--runner=PortableRunner", f"--job_endpoint={endpoint}"))
    options = PipelineOptions(list(flags))
    assert options.view_as(StandardOptions).runner == "PortableRunner"
    assert options.view_as(PortableOptions).job_endpoint == endpoint


def test_an_engines_own_flags_are_passed_on() -> None:
    assert join_beam_args(("--flink_conf_dir=/etc/flink",)) == (
        *LOCAL_BEAM_ARGS,
        "--flink_conf_dir=/etc/flink",
    )


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--direct_running_mode=many", "invalid choice: 'many'"),
        ("--runner=Nowhere", "Nowhere"),
        ("--job_endpoint=8099", "expected --job_endpoint=HOST:PORT, got '8099'"),
        ("--job_endpoint=localhost:99999", "no job service answers at localhost:99999"),
    ],
)
def test_wrong_flags_are_said(flag: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^--beam-arg: .*{re.escape(message)}"):
        join_beam_args((flag,))


def test_a_job_service_that_is_not_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(InputError, match=f"no job service answers at 127.0.0.1:{port}"):
        join_beam_args(("--runner=PortableRunner", f"--job_endpoint=127.0.0.1:{port}"))
