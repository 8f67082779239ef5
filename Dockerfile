# The course for learners, and a machine that can grade, from the lock that Binder uses.
#
#   docker build -t leverage-course .
#   docker run --rm -p 8888:8888 leverage-course               # prints the address
#
#   docker build --target grader -t leverage-grader .
#   docker run --rm -v "$PWD/class:/course/class" leverage-grader grade 01_basics

FROM python:3.12-slim AS base
RUN apt-get update \
 && apt-get install -y --no-install-recommends git make \
 && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /course
COPY binder/requirements.txt binder/
RUN python -m pip install --require-hashes -r binder/requirements.txt

# Everything: solutions, hidden tests. In Docker's default profile isolation is Landlock alone.
FROM base AS grader
COPY . .
RUN bash binder/postBuild
ENTRYPOINT ["classroom"]
CMD ["doctor"]

# What learners get: no solutions in any layer.
FROM base AS learner
COPY LICENSE LICENSE-TEXT Makefile README.md nbgrader_config.py pyproject.toml ./
COPY binder/postBuild binder/
COPY helpers helpers
COPY course course
RUN bash binder/postBuild \
 && useradd --create-home learner \
 && chown -R learner /course
USER learner
EXPOSE 8888
CMD ["classroom", "lab", "--host", "0.0.0.0", "--no-browser"]
