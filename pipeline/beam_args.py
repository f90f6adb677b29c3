"""Beam's flags for work on this machine."""

# Beam would hand local jobs to a runner that downloads a binary at its first use.
LOCAL_BEAM_ARGS = ("--runner=DirectRunner", "--direct_running_mode=in_memory")
