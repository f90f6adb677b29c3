"""What becomes of a pipeline that somebody only wanted to know."""


class NotRun(Exception):
    """The runner took the pipeline and ran no stage of it.

    `tfx pipeline create`, `update` and `compile` do so: they put a runner in place of the real one that notes the
    pipeline's name and folder. Nothing that comes after a run may be done then.
    """
