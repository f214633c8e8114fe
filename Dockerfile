# Two steps: packages with their pinned versions, then a small image with a user of its own. deploy/build.sh has the commands.
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /app
ARG ACCELERATOR=cpu
COPY deploy/build.sh deploy/requirements.hashes deploy/requirements-gpu.hashes deploy/
RUN deploy/build.sh packages-$ACCELERATOR
COPY . .
RUN deploy/build.sh program

FROM python:3.11.14-slim-bookworm
COPY deploy/build.sh /
RUN /build.sh system && rm /build.sh && useradd --uid 10001 --create-home cueflow
COPY --from=build /venv /venv
COPY prefect.yaml deploy/with-secrets.py deploy/with-broker.py /app/
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
USER 10001:10001
ENTRYPOINT ["python", "/app/with-secrets.py"]
CMD ["cueflow", "--help"]
