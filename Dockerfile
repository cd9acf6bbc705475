# The zbench command line in a container: docker build -t zbench . && docker run --rm zbench env
# The suite itself measures commits, so it wants the clone: docker run --rm -v "$PWD:/work" --entrypoint make zbench bench
FROM python:3.12-slim-bookworm

# Debian's mirrors keep one version of a package, so a pinned one fails to build some weeks later.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 zbench

WORKDIR /src
COPY . .
RUN pip install --no-cache-dir --constraint requirements/constraints-py312.txt '.[all]'

USER 1000
WORKDIR /work
ENTRYPOINT ["zbench"]
CMD ["--help"]
