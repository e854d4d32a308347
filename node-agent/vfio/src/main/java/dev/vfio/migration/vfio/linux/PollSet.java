package dev.vfio.migration.vfio.linux;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Descriptors to wait for together. For one thread, and for one wait after another.
 *
 * <pre>
 * struct pollfd { int fd; short events; short revents; };
 * </pre>
 */
final class PollSet {
  static final int IN = 0x1;
  static final int PRIORITY = 0x2;
  static final int NUMBER = 0;
  static final int WANTED = 4;
  static final int FOUND = 6;
  static final int BYTES = 8;

  private final List<Descriptor> descriptors = new ArrayList<>();
  private final List<Integer> wanted = new ArrayList<>();
  private ByteBuffer entries = ByteBuffer.allocateDirect(0);

  /**
   * Adds a descriptor.
   *
   * @param events {@link #IN}, {@link #PRIORITY}; errors and hang-ups are always waited for
   * @return its place, for {@link #ready}
   */
  int add(Descriptor descriptor, int events) {
    descriptors.add(descriptor);
    wanted.add(events);
    return descriptors.size() - 1;
  }

  /**
   * Waits until one of them is ready.
   *
   * @param timeout rounded up to milliseconds; null for as long as it takes
   * @return false where none was within that time
   * @throws ErrnoException where the kernel refuses
   */
  boolean await(Duration timeout) throws ErrnoException {
    long start = System.nanoTime();
    entries = NativeMemory.allocate(BYTES * descriptors.size());
    for (int i = 0; i < descriptors.size(); i++) {
      entries.putInt(i * BYTES + NUMBER, descriptors.get(i).number());
      entries.putShort(i * BYTES + WANTED, wanted.get(i).shortValue());
    }
    long address = LibC.addressOf(entries);
    long ready =
        SystemCall.retried(
            "poll", () -> LibC.poll(address, descriptors.size(), left(timeout, start)));
    Reference.reachabilityFence(entries);
    return ready > 0;
  }

  private static int left(Duration timeout, long start) {
    if (timeout == null) {
      return -1;
    }
    long nanos = timeout.toNanos() - (System.nanoTime() - start);
    return (int) Math.min(Integer.MAX_VALUE, Math.max(0, (nanos + 999_999) / 1_000_000));
  }

  /** Whether the descriptor at that place was ready in the last wait. */
  boolean ready(int place) {
    return entries.getShort(place * BYTES + FOUND) != 0;
  }
}
