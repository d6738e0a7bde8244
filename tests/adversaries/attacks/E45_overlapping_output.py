"""Returns one number a row behind a stride of zero, where the reference fills the rows.

line: E45
expect: overlapping_output output
task: row_mean_fill
"""

import torch


class ModelNew(torch.nn.Module):
    def forward(self, x):
        return x.mean(dim=1, keepdim=True).expand(x.shape)
