"""Adapters inside a frozen backbone: temporal ones behind chosen blocks, LoRA on its projections, several at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.actions.adapters.tpu import Adapter, Unit
from cueflow.tasks.video.motion.vit import Vit, load_vit

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class AdapterPlan:
    """Where adapters sit: temporal ones behind `blocks`, LoRA of rank `lora` (0: none) on their queries and values."""

    unit: str = Unit.CONV.value
    blocks: tuple[int, ...] = ()
    lora: int = 0
    lora_alpha: int = 16


class AdaptedBackbone(nn.Module):
    """A frozen backbone, loaded once, that any number of named adapters plug into; one of them, or none, is active.

    Parameters
    ----------
    vit : Vit
        From `load_vit`; its weights never change.
    """

    def __init__(self, vit: Vit) -> None:
        super().__init__()
        self.vit = vit
        self.model = vit.model
        self.width = int(vit.model.config.hidden_size)
        self._plans: dict[str, AdapterPlan] = {}
        self._adapters: dict[str, dict[int, Adapter]] = {}
        self._temporal = nn.ModuleDict()  # the same ones, for torch to find
        self._active: str | None = None
        self._steps = 1
        self._flow: Tensor | None = None
        for number, block in enumerate(vit.layers()):
            block.register_forward_hook(self._behind(number))

    @classmethod
    def load(cls, folder: Path) -> AdaptedBackbone:
        """From a folder, see `load_vit`."""
        return cls(load_vit(folder))

    def _behind(self, number: int) -> Any:  # noqa: ANN401 - torch's hook
        def hook(_module: Any, _inputs: Any, output: Any) -> Any:  # noqa: ANN401
            adapter = None if self._active is None else self._adapters[self._active].get(number)
            if adapter is None:
                return output
            tokens = output[0] if isinstance(output, tuple) else output
            shaped = tokens.reshape(-1, self._steps, *tokens.shape[1:])
            changed = adapter(shaped, self._flow).reshape(tokens.shape)
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        return hook

    def add(self, name: str, plan: AdapterPlan, *, seed: int = 0) -> None:
        """Plug in an adapter that starts as identity, and make it the active one.

        Parameters
        ----------
        name : str
            Letters, digits and "_".
        plan : AdapterPlan
            Where it sits.
        seed : int, optional
            Of its random weights.

        Raises
        ------
        ModelError
            If the name is taken or no name, or a block is not there.
        """
        if not name.isidentifier() or name in self._plans:
            raise ModelError(f"{name!r} cannot name an adapter, or one of that name is plugged in already")
        if wrong := [b for b in plan.blocks if not 0 <= b < self.vit.blocks]:
            raise ModelError(f"the backbone has {self.vit.blocks} blocks; block {wrong[0]} was asked for")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self._adapters[name] = {b: Adapter(self.width, Unit(plan.unit)) for b in plan.blocks}
            self._temporal[name] = nn.ModuleDict({str(b): a for b, a in self._adapters[name].items()})
            if plan.lora:
                self._add_lora(name, plan)
        self._plans[name] = plan
        self.use(name)

    def _add_lora(self, name: str, plan: AdapterPlan) -> None:
        try:
            from peft import LoraConfig, inject_adapter_in_model
        except ImportError as error:
            raise ModelError(
                "LoRA needs the package peft: pip install cueflow[adapters]", reason=Reason.MODEL_MISSING
            ) from error
        tails = [t for t in (("q_proj", "v_proj"), ("query", "value")) if self._has(t)]
        if not tails:
            raise ModelError("the backbone has no query and value layers of its own")
        config = LoraConfig(
            r=plan.lora,
            lora_alpha=plan.lora_alpha,
            target_modules=list(tails[0]),
            layers_to_transform=list(plan.blocks),
        )
        inject_adapter_in_model(config, self.model, adapter_name=name)

    def _has(self, tails: Sequence[str]) -> bool:
        ends = {path.rsplit(".", 1)[-1] for path, _ in self.model.named_modules()}
        return set(tails) <= ends

    def use(self, name: str | None) -> None:
        """Make one adapter the active one; None: the frozen backbone alone.

        Raises
        ------
        ModelError
            If none of that name is plugged in.
        """
        if name is not None and name not in self._plans:
            raise ModelError(f"no adapter {name!r} is plugged in")
        self._active = name
        for layer in self._lora_layers():
            layer.enable_adapters(name is not None and self._plans[name].lora > 0)
            if name is not None and self._plans[name].lora:
                layer.set_adapter(name)
        self.model.requires_grad_(False)  # noqa: FBT003 - torch's own signature
        for parameter in self.trainable():
            parameter.requires_grad_(True)  # noqa: FBT003

    def _lora_layers(self) -> list[Any]:
        return [m for m in self.model.modules() if hasattr(m, "lora_A") and hasattr(m, "enable_adapters")]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The frozen backbone alone for a while: flow is always read from it.

        Yields
        ------
        None
        """
        before = self._active
        self.use(None)
        try:
            yield
        finally:
            self.use(before)

    def plan(self, name: str) -> AdapterPlan:
        """Where an adapter sits."""
        return self._plans[name]

    def tensors(self, name: str) -> dict[str, Tensor]:
        """All numbers of one adapter by name; changing one in place changes the adapter."""
        found: dict[str, Tensor] = {f"temporal.{path}": p for path, p in self._temporal[name].named_parameters()}
        for path, parameter in self.model.named_parameters():
            parts = path.split(".")
            if name in parts and any(p.startswith("lora_") for p in parts):
                found["lora." + ".".join(p for p in parts if p != name)] = parameter
        return found

    def trainable(self) -> list[Tensor]:
        """What training may change: the active adapter."""
        return [] if self._active is None else list(self.tensors(self._active).values())

    def share(self) -> float:
        """Trainable numbers over all numbers of the backbone."""
        own = sum(p.numel() for p in self.trainable())
        whole = sum(p.numel() for path, p in self.model.named_parameters() if "lora_" not in path)
        return float(own / whole)

    def forward(self, pixels: Tensor, flow: Tensor | None = None) -> Tensor:
        """Tokens of clips.

        Parameters
        ----------
        pixels : Tensor, shape (B, T, 3, height, width)
            Standardised, see `Vit`.
        flow : Tensor, shape (B, T, P), optional
            How much moves at each patch, standardised; leading tokens take the mean.

        Returns
        -------
        Tensor, shape (B, T, leading + P, channels)
        """
        batch, self._steps = pixels.shape[:2]
        if flow is not None:
            mean = flow.mean(-1, keepdim=True).expand(-1, -1, self.vit.leading)
            flow = torch.cat([mean, flow], dim=-1)
        self._flow = flow
        found = self.vit.run(pixels.flatten(0, 1))
        return found.reshape(batch, self._steps, *found.shape[1:])
