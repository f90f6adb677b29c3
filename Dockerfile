# The one image of all parts: pipeline, Beam workers, encoder workers, publisher and gateway. docs/containers.md.
#
#   docker build --tag adlens:0.1.0 .
#   docker build --tag adlens:0.1.0-gpu --build-arg VARIANT=gpu .
#   docker build --tag adlens-beam:0.1.0 --target beam-worker .

ARG DEBIAN=trixie-slim
ARG BEAM_SDK=apache/beam_python3.13_sdk:2.77.0

FROM debian:${DEBIAN} AS python
RUN apt-get update --quiet=2 \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/apt /var/log/dpkg.log

# A few dependencies come as source alone, so a compiler is needed here and nowhere later.
FROM python AS tools
RUN apt-get update --quiet=2 \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends \
      g++ python3-dev python3-venv
COPY scripts/bootstrap.lock /tools/
RUN python3 -m venv /tools/venv \
 && /tools/venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes \
      --requirement /tools/bootstrap.lock

FROM tools AS dependencies
ARG VARIANT=cpu
COPY requirements-${VARIANT}.lock /tools/requirements.lock
# The lock is complete: what it leaves out is not asked for again. Builds from source use its setuptools.
# Python trusts the bytecode without looking at the sources' times, which a copy of a layer may change.
ENV PYC_INVALIDATION_MODE=UNCHECKED_HASH
RUN python3 -m venv --without-pip /opt/adlens \
 && /tools/venv/bin/uv pip install --quiet --python /opt/adlens/bin/python --no-cache --no-deps --require-hashes \
      --build-constraint /tools/requirements.lock --compile-bytecode --requirement /tools/requirements.lock \
 && rm /opt/adlens/.lock
# What compilers, tests and editors read, and symbols of the linker; docs/containers.md has the sizes.
RUN cd /opt/adlens/lib/python3.13/site-packages \
 && rm -rf tensorflow/include clang/native jedi/third_party tfx/components/testdata \
 && find . -type d -name tests -prune -exec rm -rf {} + \
 && find tensorflow tensorflow_text -name '*.so*' -exec strip --strip-unneeded {} +

# Apart from the dependencies, so that a change of the code is a small layer.
FROM dependencies AS project
WORKDIR /source
COPY setup.py pyproject.toml README.md LICENSE ./
COPY components components
COPY models models
COPY pipeline pipeline
COPY serving serving
COPY sources sources
COPY transforms transforms
RUN /tools/venv/bin/uv pip install --quiet --python /opt/adlens/bin/python --prefix /project/opt/adlens --no-cache \
      --no-deps --no-build-isolation --compile-bytecode . \
 && rm -f /project/opt/adlens/.lock

FROM python AS runtime
# No program may make its user another: that is what set-user-id files are for.
RUN groupadd --gid 10001 adlens \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin adlens \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
COPY --from=dependencies /opt/adlens /opt/adlens
COPY --from=project /project/opt/adlens /opt/adlens
# The root may be read-only: /tmp is all that is written to. Modules are looked for in no working folder.
# TF_USE_LEGACY_KERAS is for Beam's workers, which may import TensorFlow before any module of Adlens.
ENV PATH=/opt/adlens/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    TMPDIR=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    TF_USE_LEGACY_KERAS=1
WORKDIR /work
USER 10001:10001
# No HEALTHCHECK: each part has its own, in deploy/.

# For engines that start Beam's workers as containers: Beam's own starter, from its image.
FROM ${BEAM_SDK} AS beam
FROM runtime AS beam-worker
COPY --from=beam /opt/apache/beam /opt/apache/beam
# Its packages are those of the image: nothing is installed when it starts.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
ENTRYPOINT ["/opt/apache/beam/boot"]

FROM runtime AS adlens
ENTRYPOINT ["adlens"]
CMD ["--help"]
