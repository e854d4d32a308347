package dev.vfio.migration.agent.stream.netty;

import java.nio.ByteBuffer;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.LongConsumer;

/**
 * The thread that brings one stream's frames to the sink, in order, over all of its connections.
 * What waits for it is bounded by the {@link ReceiveRing}.
 */
final class DeliveryThread implements Runnable {
  private final Reception reception;
  private final int stream;
  private final ReceiveRing ring;
  private final Runnable roomAgain;
  private final LongConsumer taken;
  private final BlockingQueue<Item> queue = new LinkedBlockingQueue<>();
  private final Thread thread;

  private sealed interface Item {}

  /** The source hears of what was taken after so many frames, or bytes, or when none waits. */
  private static final int TOLD_FRAMES = 4;

  private static final long TOLD_BYTES = 1 << 20;

  private record Frame(FrameHeader header, ByteBuffer payload) implements Item {}

  private record End(byte[] digest, Tally.Total came) implements Item {}

  private record Stop() implements Item {}

  /**
   * @param roomAgain called after room came back that the connection had asked for in vain
   * @param taken hears now and then how many frames were taken, always where no other one waits
   */
  DeliveryThread(
      Reception reception, int stream, ReceiveRing ring, Runnable roomAgain, LongConsumer taken) {
    this.reception = reception;
    this.stream = stream;
    this.ring = ring;
    this.roomAgain = roomAgain;
    this.taken = taken;
    this.thread = new Thread(this, "state-delivery-" + reception.migration() + "-" + stream);
    this.thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /** A place for a payload, or null where there is none now. */
  ByteBuffer reserve(int length) {
    return ring.reserve(length);
  }

  /** Takes a payload in a place that {@link #reserve} gave. */
  void add(FrameHeader header, ByteBuffer payload) {
    queue.add(new Frame(header, payload));
  }

  /**
   * The stream's end was verified.
   *
   * @param came what came for device and memory before it
   */
  void end(byte[] digest, Tally.Total came) {
    queue.add(new End(digest, came));
  }

  /** Delivers nothing more; what a sink's method is just doing goes on. */
  void stop() {
    queue.clear();
    queue.add(new Stop());
  }

  /** The connection will not write into the ring any more. */
  void readerLeft() {
    ring.leave();
  }

  @Override
  public void run() {
    Tally tally = new Tally();
    int untoldFrames = 0;
    long untoldBytes = 0;
    try {
      reception.start();
      while (true) {
        Item item = queue.take();
        if (item instanceof Frame frame) {
          ByteBuffer content = frame.payload().duplicate();
          reception.deliver(frame.header(), frame.payload());
          if (Tally.counts(frame.header().type())) {
            // Summed only now: what was given to device or memory, not what came.
            tally.add(frame.header(), FrameWriter.crcOf(content));
          }
          if (ring.release()) {
            roomAgain.run();
          }
          untoldFrames++;
          untoldBytes += frame.header().length();
          if (untoldFrames >= TOLD_FRAMES || untoldBytes >= TOLD_BYTES || queue.isEmpty()) {
            taken.accept(frame.header().sequence() + 1);
            untoldFrames = 0;
            untoldBytes = 0;
          }
        } else if (item instanceof End end) {
          tally.total().requireEqual(end.came());
          reception.ended(stream, end.digest());
          return;
        } else {
          return;
        }
      }
    } catch (Reception.Over stopped) {
      // Whoever ended the migration has informed everyone who must know.
      return;
    } catch (Throwable failure) {
      // Also an Error: nothing else informs the source, which would wait for this thread.
      reception.sinkFailed(failure);
    } finally {
      ring.leave();
    }
  }
}
