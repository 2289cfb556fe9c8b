"""python -m lessons.new NAME: a new lesson's folder and page, whole and running, to be made one's own.

A line fitted by gradient descent; every file of the contract (lessons/contract.py) is there, so the tests of the family
hold from the start. What is left to do by hand is its line in lessons/catalog.py, which decides where it stands in the
course, and `make demos`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LESSONS = Path(__file__).parent
PAGES = LESSONS.parent / "pages"

PARAMS = '''"""Settings of the lesson."""

from __future__ import annotations

from typing import Annotated, Any

import engine.params
from engine.controls import Live, Number, Slider


class Params(engine.params.Params):
    """What the learner can change."""

    lr: Annotated[float, Slider(0.001, 1.0, log=True), Live()] = 0.1
    steps: Annotated[int, Slider(10, 500, step=10)] = 100
    pace: Annotated[float, Slider(0.0, 100.0, step=5.0), Live()] = 20.0
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0


TINY = Params(steps=20, pace=0.0)

PRESETS: dict[str, dict[str, Any]] = {"default": {}}
'''

COMPUTE = '''"""A line through points, found by gradient descent. The hooks: engine/hooks.py, Compute."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import numpy as np
import torch

from engine.params import parse
from engine.types import Checkpoint, Job, Step, Values

from .params import Params


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Step 0 is the start; each further step moves slope and offset against the gradient."""
    p = parse(Params, job.params)
    generator = torch.Generator().manual_seed(job.seed)
    x = torch.linspace(-1, 1, 20, dtype=torch.float64)
    y = 2 * x + 1 + 0.1 * torch.randn(20, generator=generator, dtype=torch.float64)
    line = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([line], p.lr)
    first = 0
    if state is not None:  # plain SGD keeps nothing else; for a model with more there is engine/checkpoint.py
        first = int(state["step"]) + 1
        line.data.copy_(torch.from_numpy(state["model.line"].copy()))

    def loss() -> torch.Tensor:
        return (line[0] * x + line[1] - y).square().mean()

    def checkpoint(step: int) -> Checkpoint:
        return {"step": np.array(step), "model.line": line.detach().numpy().copy()}

    for step in range(first, p.steps + 1):
        if step:
            optimiser.zero_grad()
            loss().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            scalars = {"loss": loss().item(), "slope": line[0].item(), "offset": line[1].item()}
        changes = yield Step(step, scalars, p.steps, state=partial(checkpoint, step))
        if changes and "lr" in changes:
            optimiser.param_groups[0]["lr"] = changes["lr"]
'''

FIGURES = '''"""The figures of the lesson. The hooks: lessons/contract.py, Figures."""

from __future__ import annotations

from lessons.board import marks
from lessons.board.colors import TRAIN
from lessons.board.figures import Figure
from lessons.text import Words

from .params import Params


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """Figure id -> figure, most important first."""
    labels = words.figures["loss"].labels
    across, up = marks.axis(labels["x"], range=[0, params.steps]), marks.axis(labels["y"], from_zero=True)
    curve = marks.line("loss", TRAIN, y="loss")
    return {"loss": marks.plot("loss", [curve], across, up, size="hero", height=380, switch=True)}
'''

SCRIPT = '''"""A line through points, found by gradient descent. Needs torch alone."""

import torch

# settings
LR = 0.1
STEPS = 100
SEED = 0
# end of settings

generator = torch.Generator().manual_seed(SEED)
x = torch.linspace(-1, 1, 20, dtype=torch.float64)
y = 2 * x + 1 + 0.1 * torch.randn(20, generator=generator, dtype=torch.float64)
line = torch.zeros(2, dtype=torch.float64, requires_grad=True)
optimiser = torch.optim.SGD([line], LR)

for _ in range(STEPS):
    optimiser.zero_grad()
    loss = (line[0] * x + line[1] - y).square().mean()
    loss.backward()
    optimiser.step()

loss = (line[0] * x + line[1] - y).square().mean()
print(f"final loss {loss.item():.12g}")
'''

ENGLISH = """# TITLE
You will be able to say what this lesson is about.

## Try it
- Take smaller steps and see how much longer it takes. `?lr=0.01`
- Start from other points and see what stays the same. `?seed=1`

## Predict
### What does a learning rate of 1 do?
- [ ] It is ten times slower.
- [x] It is faster, or overshoots.
> A larger rate means larger steps.
`?lr=1`

## Why it works
Each step goes a little way against the gradient of the loss.

## Worked example
With slope 0, offset 0 and one point (1, 3), the loss is $3^2 = 9$.

## Controls
- lr: Learning rate | How far a step goes.
- steps: Steps | How many steps the run has.
- pace: Pace | Steps a second at most; 0 is as fast as it goes.
- preset.default: A line through points

## Figures
### loss
- title: Is the loss falling?
- caption: The mean squared distance between line and points.
- alt: A curve of the loss by step.
- x: step
- y: loss
- reading: The loss fell from {first:loss} to {now:loss}.

## Quiz
### What does the gradient tell?
- [x] The direction in which the loss grows fastest.
- [ ] Where the minimum is.
> It is about the next small step only.

### Why is the loss a mean of squares?
- [x] It is one number that falls as the line comes nearer to all points.
- [ ] A sum could not be computed.
> Gradient descent needs one number to make smaller.

### What is at hand after the last step?
- [ ] The line the points came from.
- [x] A line near to the points.
> The points are noisy, so the best line for them is not quite the true one.

## Terms
- loss: one number that says how wrong the model is

## Read on
- Cauchy, A. (1847). Méthode générale pour la résolution des systèmes d'équations simultanées.
"""

CHINESE = """# TITLE
学完这一课，你能说出它讲的是什么。

## 动手试试
- 把步子迈小一些，看看要多花多久。`?lr=0.01`
- 换一批点，看看什么没有变。`?seed=1`

## 先猜再看
### 学习率为 1 会怎样？
- [ ] 慢十倍。
- [x] 更快，或者越过头。
> 学习率越大，步子越大。
`?lr=1`

## 为什么
每一步都沿着损失梯度的反方向走一小段。

## 算一遍
斜率 0、截距 0，只有一个点 (1, 3)：损失是 $3^2 = 9$。

## 设置
- lr: 学习率 | 每一步走多远。
- steps: 步数 | 整次运行有多少步。
- pace: 节奏 | 每秒最多多少步；0 表示尽可能快。
- preset.default: 穿过点的直线

## 图
### loss
- title: 损失在下降吗？
- caption: 直线与各点距离平方的平均值。
- alt: 损失随步数变化的曲线。
- x: 步数
- y: 损失
- reading: 损失从 {first:loss} 降到了 {now:loss}。

## 小测验
### 梯度告诉我们什么？
- [x] 损失增长最快的方向。
- [ ] 最小值在哪里。
> 它只关乎下一小步。

### 损失为什么取平方的平均值？
- [x] 它是一个数，直线离所有点越近就越小。
- [ ] 总和算不出来。
> 梯度下降需要一个可以变小的数。

### 最后一步之后得到了什么？
- [ ] 点所来自的那条直线。
- [x] 一条靠近这些点的直线。
> 点带有噪声，对它们最合适的直线与真正的直线略有不同。

## 术语
- 损失: 一个数，说明模型错得多厉害

## 延伸阅读
- Cauchy, A. (1847). Méthode générale pour la résolution des systèmes d'équations simultanées.
"""


def main(name: str) -> None:
    """Writes the folder and the page stub. Refuses a name that is taken or is no module name."""
    folder = LESSONS / name
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,40}", name):
        sys.exit(f"{name!r} cannot be a lesson's name: use lower-case letters, digits and _ (make new NAME=init)")
    if folder.exists():
        sys.exit(f"lessons/{name} is there already: choose another name")
    folder.mkdir()
    title = name.replace("_", " ").capitalize()
    files = {"params.py": PARAMS, "compute.py": COMPUTE, "figures.py": FIGURES, "script.py": SCRIPT}
    files |= {"en.md": ENGLISH, "zh.md": CHINESE, "__init__.py": ""}
    for file, content in files.items():
        (folder / file).write_text(content.replace("NAME", name).replace("TITLE", title), encoding="utf-8")
    stub = (PAGES / "gradient_descent.py").read_text(encoding="utf-8")
    (PAGES / f"{name}.py").write_text(stub.replace("gradient_descent", name), encoding="utf-8")
    print(f'lessons/{name} and pages/{name}.py are there. Add Lesson("{name}", 10) to a chapter in lessons/catalog.py,')
    print("then run: make demos test")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
