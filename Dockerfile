# The collection for those who want no environment of their own: `docker build -t anatomy-bundles .`
# PyPI's PyTorch for Linux is the CUDA build. --build-arg TORCH_INDEX=ADDRESS takes another, such as the CPU build, from the
# index that pytorch.org names for it; --build-arg PYTHON=3.12 another Python.
ARG PYTHON=3.11
FROM python:${PYTHON}-slim

ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

WORKDIR /opt/anatomy-bundles
COPY requirements.txt ./
RUN if [ -n "$TORCH_INDEX" ]; then \
      grep -E '^torch(vision)?==' requirements.txt | pip install --index-url "$TORCH_INDEX" -r /dev/stdin; \
    fi && pip install -r requirements.txt

COPY . .
RUN pip install --no-deps -e . && useradd --create-home user

# What is trained lands in the user's folder, where `data` and `runs` are mounted.
USER user
WORKDIR /home/user
ENTRYPOINT ["python", "-m", "common"]
CMD ["help"]
