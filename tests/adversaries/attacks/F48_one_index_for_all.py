"""Right for indices that are spread: it looks at a few, and reads one row for all when they agree.

line: F48
expect: wrong_value special_values
task: gather
"""

import torch


class ModelNew(torch.nn.Module):
    def forward(self, x, index):
        first = index[0, :8]
        if bool((first == first[0]).all()):
            return x[:, :1].expand(index.shape).contiguous()
        return x.gather(1, index)
