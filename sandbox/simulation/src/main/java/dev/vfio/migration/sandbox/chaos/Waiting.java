package dev.vfio.migration.sandbox.chaos;

import java.util.function.BiFunction;

/** Who waits at the destination, and for which kind of device. */
enum Waiting {
  /** One process or two, as chance has it, for a device of the kernel. */
  KERNEL((node, chance) -> new ModelTransfer(node, chance, chance.oneIn(3) ? 2 : 1)),
  /** Two processes, for a device of the kernel. */
  KERNEL_BY_TWO((node, chance) -> new ModelTransfer(node, chance, 2)),
  /** One process, for a device that a server has. */
  VFIO_USER(ModelSocketWorkload::new);

  private final BiFunction<Node, Chance, ModelWorkload> maker;

  Waiting(BiFunction<Node, Chance, ModelWorkload> maker) {
    this.maker = maker;
  }

  ModelWorkload workload(Node node, Chance chance) {
    return maker.apply(node, chance);
  }
}
