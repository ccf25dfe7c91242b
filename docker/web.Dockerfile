# The web process: HTTP, websockets, migrations and beat. No torch, no compiler.
#   docker build -f docker/web.Dockerfile -t reweave-web .
FROM python:3.11.14-slim-bookworm AS packages
WORKDIR /srv/reweave
RUN python -m venv /opt/venv
COPY constraints.txt requirements-web.txt ./
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements-web.txt

FROM python:3.11.14-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=webapp.settings \
    REWEAVE_VAR=/srv/reweave/var \
    MEDIA_ROOT=/media \
    HOST=0.0.0.0 \
    PORT=8000 \
    WEB_SHUTDOWN_SECONDS=20
RUN groupadd --gid 10001 reweave \
    && useradd --uid 10001 --gid reweave --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin reweave \
    && install -d -o reweave -g reweave /srv/reweave/var /srv/reweave/var/mail /media
WORKDIR /srv/reweave
COPY --from=packages /opt/venv /opt/venv
COPY manage.py LICENSE THIRD_PARTY.md ./
COPY inpainting ./inpainting
COPY webapp ./webapp
COPY frontend ./frontend
COPY docker/health.py ./docker/health.py
USER 10001:10001
# Hashed names and compressed copies; the key is thrown away with this layer's environment.
RUN SECRET_KEY=only-for-collectstatic python manage.py collectstatic --noinput --verbosity 0
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "docker/health.py", "web"]
CMD ["gunicorn", "-c", "webapp/gunicorn.py", "webapp.asgi:application"]
