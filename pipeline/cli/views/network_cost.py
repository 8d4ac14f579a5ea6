"""What a network costs on the compiled engine, as a table of its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cli.common import say

if TYPE_CHECKING:
    from pipeline.sim.network_cost import NetworkCost

_WIDTH = 36


def show_network_cost(cost: NetworkCost) -> None:
    """Print it."""
    say(f"{'layer':<{_WIDTH}} {'output':<18} {'MACs':>10} {'instructions':>12} {'per MAC':>8}")
    for layer in cost.layers:
        shape = "x".join(map(str, layer.shape[1:]))
        per_mac = f"{layer.instructions / layer.macs:>8.2f}" if layer.macs else " " * 8
        say(
            f"{layer.operator:<{_WIDTH}} {shape:<18} {layer.macs:>10,} "
            f"{layer.instructions:>12,} {per_mac}"
        )
    say(
        f"{'all':<{_WIDTH}} {'':<18} {cost.macs:>10,} {cost.instructions:>12,} "
        f"{cost.instructions_per_mac:>8.2f}"
    )
    say(f"cycles      {cost.cycles_model:>12,} by the model of a Cortex-M4 without wait states")
    flash, ram = cost.code_bytes + cost.constant_bytes, cost.arena_bytes + cost.stack_bytes
    say(f"flash       {flash:>12,} bytes, {cost.code_bytes:,} of them code")
    say(f"RAM         {ram:>12,} bytes, {cost.stack_bytes:,} of them stack")
