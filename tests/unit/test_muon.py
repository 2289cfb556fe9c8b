"""Muon beside torch's own, which takes matrices only."""

from __future__ import annotations

import torch

from engine.models.muon import Muon, as_matrix, orthogonaliser


def test_singular_values_are_brought_near_one() -> None:
    for shape in ((12, 40), (40, 12), (9, 9)):
        matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        u, _, v = torch.linalg.svd(matrix, full_matrices=False)
        low = as_matrix(matrix, matrix)
        found = orthogonaliser(low) @ low
        found = found if found.shape == matrix.shape else found.T
        values = torch.linalg.svdvals(found)
        assert values.min() > 0.3
        assert values.max() < 1.3
        # the directions stay what they were: in the basis of the singular vectors it is diagonal
        inside = u.T @ found @ v.T
        assert torch.allclose(inside, torch.diag(inside.diagonal()), atol=1e-3)


def test_matrices_step_as_torch_steps_them() -> None:
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(8, 20, generator=generator)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    one = Muon([{"params": [ours], "hidden": True}], lr=0.02, momentum=0.8, weight_decay=0.1)
    other = torch.optim.Muon([theirs], lr=0.02, momentum=0.8, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(5):
        gradient = torch.randn(8, 20, generator=generator)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        one.step()
        other.step()  # type: ignore[no-untyped-call]
    # torch iterates in bfloat16, whose numbers have eight bits
    assert torch.linalg.norm(ours - theirs) < 0.03 * torch.linalg.norm(theirs - start)


def test_a_filter_steps_as_the_matrix_of_its_numbers() -> None:
    generator = torch.Generator().manual_seed(2)
    start = torch.randn(6, 4, 3, 3, generator=generator)
    gradient = torch.randn(6, 4, 3, 3, generator=generator)
    filters = torch.nn.Parameter(start.clone(memory_format=torch.channels_last))
    matrix = torch.nn.Parameter(start.flatten(1).clone())
    filters.grad, matrix.grad = gradient.clone(memory_format=torch.channels_last), gradient.flatten(1).clone()
    other = torch.nn.Parameter(start.clone(memory_format=torch.channels_last))
    other.grad = gradient.clone()  # laid out in another way than what it is of
    for weight in (filters, matrix, other):
        Muon([{"params": [weight], "hidden": True}], 0.1).step()
    assert torch.allclose(filters.flatten(1), matrix, atol=1e-5)
    assert torch.allclose(other.flatten(1), matrix, atol=1e-5)


def test_what_is_not_hidden_goes_by_adamw() -> None:
    generator = torch.Generator().manual_seed(3)
    start = torch.randn(7, generator=generator)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    one = Muon([{"params": [ours]}], 0.01, weight_decay=0.1)
    other = torch.optim.AdamW([theirs], 0.01, (0.9, 0.95), weight_decay=0.1)
    for _ in range(5):
        gradient = torch.randn(7, generator=generator)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        one.step()
        other.step()
    assert torch.allclose(ours, theirs, atol=1e-7)
