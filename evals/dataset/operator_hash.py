"""Which tasks are the same operator, so that no split may part them."""

from __future__ import annotations

import ast
import hashlib

from kernelwright.tasks.task import Task


def operator_hash(task: Task) -> str:
    """Hash of a task's source without sizes, `TASK`, docstrings and layout: `core/x` is `core-mini/x`."""
    tree = ast.parse(task.source)
    tree.body = [node for node in tree.body if not _incidental(node)]
    return hashlib.sha256(ast.dump(_Sizeless().visit(tree)).encode()).hexdigest()[:16]


def in_test(operator: str, share: float) -> bool:
    """Whether an operator is held out: the same for every run, order and export."""
    return int(hashlib.sha256(f"holdout {operator}".encode()).hexdigest()[:12], 16) < share * 16**12


def _incidental(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    names = [t.id for t in getattr(node, "targets", ()) if isinstance(t, ast.Name)]
    return isinstance(node, ast.Assign) and names == ["TASK"]


class _Sizeless(ast.NodeTransformer):
    """Whole numbers of module-level constants become 0; docstrings go."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        for child in node.body:
            if isinstance(child, ast.Assign):
                child.value = _Zero().visit(child.value)
            else:
                self.visit(child)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.body = [child for child in node.body if not _incidental(child)] or node.body
        self.generic_visit(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        node.body = [child for child in node.body if not _incidental(child)] or node.body
        self.generic_visit(node)
        return node


class _Zero(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant(0) if isinstance(node.value, int) else node
