# The simulated AWS for kind: never released, so that development dependencies may be in it.
ARG BASE
FROM ${BASE}

WORKDIR /simulator
COPY scripts/uv.txt ./
RUN python -m pip install --no-cache-dir --root-user-action=ignore --require-hashes --only-binary :all: --requirement uv.txt
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/simulator PYTHONDONTWRITEBYTECODE=1 \
    PATH=/opt/simulator/bin:$PATH PYTHONPATH=/simulator:/simulator/operator
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-install-project
COPY operator/ecs_release operator/ecs_release
COPY tests/__init__.py tests/__init__.py
COPY tests/aws_simulator tests/aws_simulator
COPY tests/control_plane tests/control_plane
USER 65532:65532
ENTRYPOINT ["python", "-m", "tests.aws_simulator", "--host", "0.0.0.0", "--port", "5000", "--time-scale", "60"]
