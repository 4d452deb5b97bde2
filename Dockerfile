# The image of Mooring. Built from hashed locks; the base may be any image with Python 3.11 or newer and its venv module.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
WORKDIR /source
COPY requirements/uv.txt requirements/serve.txt requirements/
RUN python3 -m venv /installer \
    && /installer/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
        -r requirements/uv.txt \
    && python3 -m venv --without-pip /opt/mooring \
    && /installer/bin/uv pip install --no-cache --python /opt/mooring/bin/python3 --require-hashes --no-build \
        --compile-bytecode -r requirements/serve.txt
COPY pyproject.toml LICENSE README.md ./
COPY src src
# What builds it is in the lock, so nothing is fetched here; afterwards it is of no use.
RUN /installer/bin/uv pip install --no-cache --python /opt/mooring/bin/python3 --offline --no-deps \
        --no-build-isolation --compile-bytecode . \
    && /installer/bin/uv pip uninstall --python /opt/mooring/bin/python3 \
        hatchling pathspec pluggy tomlkit trove-classifiers \
    && rm -f /opt/mooring/.lock \
    && /opt/mooring/bin/mooring version

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Mooring" \
      org.opencontainers.image.description="A container registry that explains every refusal." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A number, so that Kubernetes can tell that it is not root.
RUN groupadd --gid 10001 mooring \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/mooring --shell /usr/sbin/nologin mooring \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/mooring
COPY --from=build /opt/mooring /opt/mooring
ENV PATH=/opt/mooring/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MOORING_HOST=0.0.0.0 \
    MOORING_DATA=/var/lib/mooring
USER 10001:10001
EXPOSE 5000
VOLUME ["/var/lib/mooring"]
ENTRYPOINT ["mooring"]
CMD ["serve"]
