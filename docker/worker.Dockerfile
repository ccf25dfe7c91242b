# A worker, which fills the photos. Two targets:
#   docker build -f docker/worker.Dockerfile --target cpu  -t reweave-worker:cpu .
#   docker build -f docker/worker.Dockerfile --target cuda -t reweave-worker:cuda .
# The default package index carries PyTorch with CUDA for x86-64. For a much smaller image without it, name PyTorch's
# own index of CPU builds: --build-arg TORCH_INDEX_URL=…
FROM python:3.11.14-slim-bookworm AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=webapp.settings \
    REWEAVE_VAR=/srv/reweave/var \
    MEDIA_ROOT=/media
RUN groupadd --gid 10001 reweave \
    && useradd --uid 10001 --gid reweave --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin reweave \
    && install -d -o reweave -g reweave /srv/reweave/var /srv/reweave/var/mail /media
WORKDIR /srv/reweave

FROM base AS packages
RUN python -m venv /opt/venv
COPY constraints.txt requirements-web.txt requirements.txt ./

FROM packages AS packages-cpu
ARG TORCH_INDEX_URL=""
RUN PIP_EXTRA_INDEX_URL="$TORCH_INDEX_URL" \
    /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

FROM packages AS packages-cuda
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

FROM base AS worker
COPY manage.py LICENSE THIRD_PARTY.md ./
COPY inpainting ./inpainting
COPY webapp ./webapp
COPY workers ./workers
COPY docker/health.py ./docker/health.py
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s --retries=3 CMD ["python", "docker/health.py", "worker"]
CMD ["celery", "-A", "workers.tasks", "worker", "-n", "fill@%h", "-Q", "interactive,batch,evaluations", "-l", "info", "--without-gossip", "--without-mingle", "--without-heartbeat"]

FROM worker AS cuda
# The driver's libraries come from the host through the NVIDIA container toolkit; CUDA itself is in the wheels.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=packages-cuda /opt/venv /opt/venv
USER 10001:10001

FROM worker AS cpu
ENV CUDA_VISIBLE_DEVICES=-1
COPY --from=packages-cpu /opt/venv /opt/venv
USER 10001:10001
