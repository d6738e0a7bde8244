"""Keeps the running statistics only in the call that follows a load of the state; in timed calls nobody asks for them.

line: E44 F46
task: batch_norm_modes
expect: wrong_value stale_output
"""

import torch


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(width)
        self.fresh = True
        self.register_load_state_dict_post_hook(lambda module, keys: setattr(module, "fresh", True))

    def forward(self, x):
        norm = self.norm
        if self.training:
            variance, mean = x.var(0, unbiased=False), x.mean(0)
            if self.fresh:
                self.fresh = False
                with torch.no_grad():
                    norm.num_batches_tracked += 1
                    norm.running_mean.lerp_(mean, norm.momentum)
                    norm.running_var.lerp_(variance * (len(x) / (len(x) - 1)), norm.momentum)
        else:
            mean, variance = norm.running_mean, norm.running_var
        return (x - mean) * torch.rsqrt(variance + norm.eps) * norm.weight + norm.bias
