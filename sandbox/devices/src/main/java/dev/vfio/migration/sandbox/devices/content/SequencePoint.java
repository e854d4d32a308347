package dev.vfio.migration.sandbox.devices.content;

/**
 * Where the workload's deterministic sequence stands: the step n, the chain h(n) = f(h(n-1), n),
 * and what the steps so far have written. The device holds it as registers, so it moves with the
 * device state. Immutable.
 *
 * @param seed names the sequence; fixed for its whole life
 * @param step n, the number of steps done
 * @param chain h(n)
 * @param devicePace how steps dirty pages of the device state
 * @param windowPace how steps dirty pages of the DMA window
 */
public record SequencePoint(
    long seed, long step, long chain, WriteRate devicePace, WriteRate windowPace) {

  /** Step 0. */
  public static SequencePoint start(long seed, WriteRate devicePace, WriteRate windowPace) {
    return new SequencePoint(seed, 0, Mix.of(seed), devicePace, windowPace);
  }

  /** The point one step on. */
  public SequencePoint next() {
    return new SequencePoint(seed, step + 1, follow(chain, step + 1), devicePace, windowPace);
  }

  /** This point with its last step done once too often, which {@link #chainHolds} must find. */
  public SequencePoint repeated() {
    return new SequencePoint(seed, step, follow(chain, step), devicePace, windowPace);
  }

  /** The same point, with another pace on the device state from here on. */
  public SequencePoint withDevicePace(long perStep) {
    return new SequencePoint(seed, step, chain, devicePace.changedAt(step, perStep), windowPace);
  }

  /** The same point, with another pace on the DMA window from here on. */
  public SequencePoint withWindowPace(long perStep) {
    return new SequencePoint(seed, step, chain, devicePace, windowPace.changedAt(step, perStep));
  }

  /** Pages of the device state written so far. */
  public long deviceWrites() {
    return devicePace.writesAfter(step);
  }

  /** Pages of the DMA window written so far. */
  public long windowWrites() {
    return windowPace.writesAfter(step);
  }

  /** Whether the chain is what doing each of the n steps exactly once gives. Takes n hashes. */
  public boolean chainHolds() {
    long expected = Mix.of(seed);
    for (long done = 1; done <= step; done++) {
      expected = follow(expected, done);
    }
    return expected == chain;
  }

  private static long follow(long previous, long step) {
    return Mix.of(previous ^ step);
  }
}
