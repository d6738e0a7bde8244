import pytest
import torch
from torch.nn import functional as F

from kernelwright.tasks.cost import count_operations, distinct_bytes

A, B = torch.randn(4, 8), torch.randn(8, 16)
IMAGE, FILTERS = torch.randn(2, 3, 8, 8), torch.randn(5, 3, 3, 3)
Q = torch.randn(2, 3, 16, 8)


@pytest.mark.parametrize(
    ("call", "operations"),
    [
        (lambda: A @ B, 2 * 4 * 8 * 16),
        (lambda: F.linear(A, B.T, torch.ones(16)), 2 * 4 * 8 * 16),
        (lambda: F.conv2d(IMAGE, FILTERS, padding=1), 2 * 2 * 5 * 64 * 27),
        (lambda: torch.relu(A + 1), 2 * A.numel()),
        (lambda: A[:, None] + A[None], 4 * 4 * 8),
        (lambda: A.sum(), A.numel()),
        (lambda: A.amax(dim=1), A.numel()),
        (lambda: A.T.contiguous().view(-1).clone(), 0),
        (lambda: torch.cat([torch.zeros(3), torch.ones(3)]), 0),
        (lambda: F.embedding(torch.tensor([1, 2]), A), 0),
        (lambda: F.scaled_dot_product_attention(Q, Q, Q), 4 * 2 * 3 * 16 * 16 * 8),
    ],
)
def test_operations(call, operations):
    with torch.no_grad():
        assert count_operations(call) == operations


def test_bytes_count_shared_memory_once():
    assert distinct_bytes([A, B]) == 4 * (A.numel() + B.numel())
    assert distinct_bytes([A, A.view(-1), A]) == 4 * A.numel()
    assert distinct_bytes([torch.ones(1).expand(1000)]) == 4
    assert distinct_bytes([A.bfloat16(), torch.arange(3)]) == 2 * A.numel() + 24
    big = torch.ones(100)
    assert distinct_bytes([big[:10], big[50:60]]) == 80
    assert distinct_bytes([]) == 0
