package dev.vfio.migration.agent.stream.netty;

import java.nio.ByteBuffer;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * The thread that brings one connection's frames to the sink, in order. What waits for it is
 * bounded by the {@link ReceiveRing}.
 */
final class DeliveryThread implements Runnable {
  private final Reception reception;
  private final int stream;
  private final ReceiveRing ring;
  private final Runnable roomAgain;
  private final BlockingQueue<Item> queue = new LinkedBlockingQueue<>();
  private final Thread thread;

  private sealed interface Item {}

  private record Frame(FrameHeader header, ByteBuffer payload) implements Item {}

  private record End(byte[] digest, Tally.Total came) implements Item {}

  private record Stop() implements Item {}

  /**
   * @param roomAgain called after room came back that the connection had asked for in vain
   */
  DeliveryThread(
      Reception reception, int stream, String migration, ReceiveRing ring, Runnable roomAgain) {
    this.reception = reception;
    this.stream = stream;
    this.ring = ring;
    this.roomAgain = roomAgain;
    this.thread = new Thread(this, "state-delivery-" + migration + "-" + stream);
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
    Tally taken = new Tally();
    try {
      reception.start();
      while (true) {
        Item item = queue.take();
        if (item instanceof Frame frame) {
          ByteBuffer content = frame.payload().duplicate();
          reception.deliver(frame.header(), frame.payload());
          if (Tally.counts(frame.header().type())) {
            // Summed only now: what was given to device or memory, not what came.
            taken.add(frame.header(), FrameWriter.crcOf(content));
          }
          if (ring.release()) {
            roomAgain.run();
          }
        } else if (item instanceof End end) {
          taken.total().requireEqual(end.came());
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
