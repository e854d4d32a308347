package dev.vfio.migration.agent.stream.netty;

import io.netty.channel.EventLoop;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/**
 * Lets the other end know that this one is alive, and notices when the other one is not. Everything
 * here runs in the connection's event loop.
 */
final class KeepAlive {
  /** Looks per idle time: a PING goes out after half of it at the latest. */
  private static final int LOOKS = 4;

  private final EventLoop loop;
  private ScheduledFuture<?> pinging;
  private ScheduledFuture<?> watching;

  KeepAlive(EventLoop loop) {
    this.loop = loop;
  }

  /**
   * @param peerIdleMillis silence after which the other end takes this one for dead
   */
  void ping(FrameWriter writer, int peerIdleMillis) {
    pinging = every(peerIdleMillis, writer::pingIfQuiet);
  }

  /**
   * @param idleMillis silence after which this end takes the other one for dead
   * @param onSilence runs after each look that finds such a silence
   */
  void watch(ConnectionReader reader, int idleMillis, Runnable onSilence) {
    watching =
        every(
            idleMillis,
            () -> {
              if (reader.silentMillis() >= idleMillis) {
                onSilence.run();
              }
            });
  }

  private ScheduledFuture<?> every(int idleMillis, Runnable look) {
    long period = Math.max(1, idleMillis / LOOKS);
    return loop.scheduleAtFixedRate(look, period, period, TimeUnit.MILLISECONDS);
  }

  void stopWatching() {
    if (watching != null) {
      watching.cancel(false);
    }
  }

  void stop() {
    stopWatching();
    if (pinging != null) {
      pinging.cancel(false);
    }
  }
}
