# A sentence becomes a moving body, without a GPU:
#   docker build -t motion-platform .
#   docker run --rm -v "$PWD:/out" motion-platform generate text_to_motion --text "a person waves" -o wave.html
FROM python:3.11-slim

WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
# PyTorch's own index has builds without CUDA, which are 2 GB smaller.
RUN pip install --no-cache-dir torch -c constraints.txt --index-url https://download.pytorch.org/whl/cpu
COPY motion_platform motion_platform
COPY tasks tasks
COPY configs configs
COPY tokenizers tokenizers
RUN pip install --no-cache-dir . -c constraints.txt && useradd --create-home motion
USER motion
WORKDIR /out
ENTRYPOINT ["motion"]
CMD ["--help"]
