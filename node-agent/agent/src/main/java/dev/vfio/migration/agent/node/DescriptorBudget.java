package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.agent.stream.netty.NettyStateStreams;
import dev.vfio.migration.connections.ConnectionLimits;
import dev.vfio.migration.vfio.workload.DeclaredWindows;
import java.time.Duration;

/**
 * Who gets how many of the process's file descriptors. First those that the agent cannot do
 * without: its own, those of its sessions, and those by which it looks at devices. Of what is left,
 * unknown connections get at most a fixed number at each port, so that none can take what another
 * port, a session or a look needs.
 *
 * @param limit file descriptors that this process may have open
 * @param kept for the agent itself, its sessions but for their windows, and looks at devices
 * @param windows that all sessions may have open at once; each takes {@link #OF_A_WINDOW}
 * @param state for unknown connections to the state stream
 * @param control for unknown connections to the control service
 * @param health for connections to health and metrics
 */
public record DescriptorBudget(
    long limit,
    long kept,
    int windows,
    ConnectionLimits state,
    ConnectionLimits control,
    ConnectionLimits health) {

  /** Java's own files, libraries, event loops, listeners, journals, and the operator. */
  private static final long OF_THE_PROCESS = 512;

  /** A look opens each device, its workload's socket and its files. */
  private static final long OF_LOOKS = 256;

  /** Of a session besides its streams and windows: device, events, workload, journal. */
  private static final long OF_A_SESSION = 64;

  /**
   * Of a window: one by which its file was checked or made, and one by which it is read and
   * written.
   */
  static final int OF_A_WINDOW = 2;

  private static final int LEAST_WINDOWS = 32;

  private static final Duration HANDSHAKE_TIME = Duration.ofSeconds(10);

  /** A kubelet waits 10 s at most, Prometheus 10 s by default. */
  private static final Duration REQUEST_TIME = Duration.ofSeconds(15);

  // All streams of a migration come from one address at once: fewer would keep each other out.
  private static final int LEAST_STATE = 32;
  private static final int LEAST = 8;

  /**
   * @param limit file descriptors that the process may have open
   * @param sessions that may be under way at once
   * @param settings of the state stream
   */
  static DescriptorBudget of(long limit, int sessions, StreamSettings settings) {
    long kept = OF_THE_PROCESS + OF_LOOKS + sessions * (OF_A_SESSION + settings.maximumStreams());
    ConnectionLimits state = NettyStateStreams.usualLimits(settings);
    ConnectionLimits control = new ConnectionLimits(64, 16, HANDSHAKE_TIME);
    ConnectionLimits health = new ConnectionLimits(64, 16, REQUEST_TIME);
    long wanted = state.descriptors() + control.descriptors() + health.descriptors();
    double share = Math.min(1, (double) Math.max(0, limit - kept) / wanted);
    // Half of what nobody else needs: a look may have the windows of a workload open as well.
    long left = Math.max(0, limit - kept - wanted) / 2 / OF_A_WINDOW;
    long most = (long) sessions * DeclaredWindows.MAX_WINDOWS;
    return new DescriptorBudget(
        limit,
        kept,
        (int) Math.max(LEAST_WINDOWS, Math.min(left, most)),
        scaled(state, share, LEAST_STATE),
        scaled(control, share, LEAST),
        scaled(health, share, LEAST));
  }

  private static ConnectionLimits scaled(ConnectionLimits limits, double share, int least) {
    int most = Math.max(least, (int) (limits.most() * share));
    int perAddress = Math.max(least / 2, (int) (limits.mostPerAddress() * share));
    return new ConnectionLimits(most, perAddress, limits.answerTime());
  }

  /**
   * Whether there are enough descriptors, even with as many unknown connections as there may be.
   */
  boolean suffices() {
    return limit >= kept + state.descriptors() + control.descriptors() + health.descriptors();
  }

  @Override
  public String toString() {
    return String.format(
        "file descriptors: %s may be open, %s are kept for sessions and looks at devices, besides"
            + " those of %s windows; unknown connections in each stage of a greeting: state %s,"
            + " control %s, health %s",
        limit, kept, windows, state, control, health);
  }
}
