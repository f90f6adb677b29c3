"""The pipeline on Kubeflow Pipelines v2: compiled to its YAML, and each stage's work in a container."""
