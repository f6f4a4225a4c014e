"""Load a run's model from MLflow, by its general and its PyTorch form: URI RUN_ID IMAGES_NPY."""

import sys

import mlflow
import numpy as np
import torch

uri, run_id, images = sys.argv[1:]
mlflow.set_tracking_uri(uri)
model = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
batch = np.load(images)
assert model.metadata.signature.inputs.inputs[0].shape == (-1, *batch.shape[1:])
assert model.input_example.shape[1:] == batch.shape[1:]
np.save("pyfunc.npy", model.predict(batch))
network = mlflow.pytorch.load_model(f"runs:/{run_id}/model")
with torch.no_grad():
    np.save("pytorch.npy", network(torch.from_numpy(batch)).numpy())
