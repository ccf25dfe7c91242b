"""Run under torchrun by test_training.py: one step of a tiny recipe in each of two processes."""

import importlib.util
import sys
from pathlib import Path

import torch

from inpainting.training.pack import PhotoPack
from inpainting.training.trainer import Plan, Trainer

if __name__ == "__main__":
    path = Path(__file__).with_name("test_training.py")
    spec = importlib.util.spec_from_file_location("recipes_of_the_test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    plan = Plan(batch=2, steps=1, curriculum=((32, 1.0),), validation_side=32, warm_up_steps=1, anneal=0)
    pack = PhotoPack(Path(sys.argv[1]))
    Trainer(module.LinearRecipe(), pack, plan, Path(sys.argv[2]) / "two", torch.device("cpu")).run()
    torch.distributed.destroy_process_group()
