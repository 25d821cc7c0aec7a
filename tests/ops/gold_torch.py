"""What scripts that compute with PyTorch share: one thread, float64."""
import numpy as np
import torch

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
PYTORCH = f"PyTorch {torch.__version__.split('a')[0]}"


def t(x):
    return torch.tensor(np.asarray(x, dtype=np.float64))


def a(x):
    return x.detach().numpy()
