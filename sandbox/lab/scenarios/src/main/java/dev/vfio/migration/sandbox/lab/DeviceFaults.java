package dev.vfio.migration.sandbox.lab;

import java.io.IOException;
import java.time.Duration;

/** Makes our module fail for one device, until closed. The module's README has the parameters. */
final class DeviceFaults implements AutoCloseable {
  private static final String PARAMETERS = "/sys/module/vmig/parameters/";

  private final GuestNode node;
  private final String parameter;
  private final String value;
  private final String usual;

  private DeviceFaults(GuestNode node, String parameter, String value, String usual)
      throws IOException, InterruptedException {
    this.node = node;
    this.parameter = parameter;
    this.value = value;
    this.usual = usual;
    set(node, parameter, value);
  }

  /** From now on that device refuses what is loaded into it from that byte on, with EIO. */
  static DeviceFaults loadFailsAfter(LabDevice device, long bytes)
      throws IOException, InterruptedException {
    set(device.node(), "fail_device", device.id());
    return new DeviceFaults(device.node(), "fail_load_after", Long.toString(bytes), "-1");
  }

  /** From now on each state that is written to that device takes so long. */
  static DeviceFaults transitionsTake(LabDevice device, Duration duration)
      throws IOException, InterruptedException {
    set(device.node(), "fail_device", device.id());
    return new DeviceFaults(
        device.node(), "transition_delay_ms", Long.toString(duration.toMillis()), "0");
  }

  /** From now on each state that is written to any of our devices of that node takes so long. */
  static DeviceFaults transitionsTake(GuestNode node, Duration duration)
      throws IOException, InterruptedException {
    return new DeviceFaults(node, "transition_delay_ms", Long.toString(duration.toMillis()), "0");
  }

  /** From now on each chunk that is loaded into that device takes so long. */
  static DeviceFaults loadsTake(LabDevice device, Duration duration)
      throws IOException, InterruptedException {
    set(device.node(), "fail_device", device.id());
    return new DeviceFaults(
        device.node(), "load_delay_ms", Long.toString(duration.toMillis()), "0");
  }

  /**
   * From now on the 2018 devices of that node refuse to tell their state, as the text lets them.
   */
  static DeviceFaults stateIsNotTold(GuestNode node) throws IOException, InterruptedException {
    return new DeviceFaults(node, "state_unreadable", "Y", "N");
  }

  /** From now on that device starts a log of the memory it writes, and refuses to hand it out. */
  static DeviceFaults logCannotBeRead(LabDevice device, int errno)
      throws IOException, InterruptedException {
    set(device.node(), "fail_device", device.id());
    return new DeviceFaults(device.node(), "log_report_fails", Integer.toString(errno), "0");
  }

  /** From now on that device offers a log of the memory it writes, and refuses to start it. */
  static DeviceFaults logDoesNotStart(LabDevice device, int errno)
      throws IOException, InterruptedException {
    set(device.node(), "fail_device", device.id());
    return new DeviceFaults(device.node(), "log_refused", Integer.toString(errno), "0");
  }

  /** What the module was told. */
  String told() {
    return "%s=%s on %s".formatted(parameter, value, node.name());
  }

  private static void set(GuestNode node, String parameter, String value)
      throws IOException, InterruptedException {
    node.run("echo '%s' >%s%s".formatted(value, PARAMETERS, parameter));
  }

  @Override
  public void close() throws IOException {
    try {
      set(node, parameter, usual);
      set(node, "fail_device", "");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while a fault was taken away", e);
    }
  }
}
