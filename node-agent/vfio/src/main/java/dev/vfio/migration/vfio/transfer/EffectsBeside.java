package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.transfer.machine.TransferEvent;
import java.io.IOException;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * What a device's transfer does that may wait, for a disk, a driver or a socket: done beside the
 * listener's thread, which owns this and hears of the outcome.
 */
final class EffectsBeside {
  private static final System.Logger LOG = System.getLogger(EffectsBeside.class.getName());

  private final String device;
  private final Executor beside;
  private final Consumer<Runnable> back;
  private final Consumer<TransferEvent> outcome;

  /** Counts how often {@link #drop} was called: what was begun before comes to nothing. */
  private int drops;

  /** What may wait. */
  interface Effect {
    TransferEvent run(DeviceLookups lookups) throws IOException;
  }

  /**
   * @param beside does what may wait
   * @param back runs a task on the listener's thread
   * @param outcome takes what came of an effect
   */
  EffectsBeside(
      String device, Executor beside, Consumer<Runnable> back, Consumer<TransferEvent> outcome) {
    this.device = device;
    this.beside = beside;
    this.back = back;
    this.outcome = outcome;
  }

  void begin(Effect effect, DeviceLookups lookups) {
    int begun = drops;
    beside.execute(
        () -> {
          TransferEvent event = run(effect, lookups);
          back.accept(
              () -> {
                if (begun == drops) {
                  outcome.accept(event);
                }
              });
        });
  }

  private TransferEvent run(Effect effect, DeviceLookups lookups) {
    try {
      return effect.run(lookups);
    } catch (IOException problem) {
      return new TransferEvent.Failed(problem);
    } catch (RuntimeException fault) {
      LOG.log(System.Logger.Level.ERROR, "a fault in the transfer of " + device, fault);
      return new TransferEvent.Failed(new IOException("a fault in the agent: " + fault, fault));
    }
  }

  /** Nobody waits any more for what was begun. */
  void drop() {
    drops++;
  }
}
