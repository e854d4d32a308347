package dev.vfio.migration.vfio.transfer.machine;

import java.util.ArrayList;
import java.util.List;

/**
 * What comes of an event.
 *
 * @param actions to be performed in their order
 */
public record Next(TransferState state, List<TransferAction> actions) {
  static Next of(TransferState state, TransferAction... actions) {
    return new Next(state, List.of(actions));
  }

  /** The same, with these actions before the others. */
  Next after(TransferAction... first) {
    List<TransferAction> all = new ArrayList<>(List.of(first));
    all.addAll(actions);
    return new Next(state, List.copyOf(all));
  }
}
