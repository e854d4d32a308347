package dev.vfio.migration.sandbox.devices;

import java.io.IOException;
import java.util.concurrent.CountDownLatch;

/**
 * A process that serves one simulated device until it is asked to stop (SIGTERM, or {@code stop} on
 * the console). Prints {@code READY} on standard output when everything listens. Ends with 2 for
 * wrong options, with 1 if the device cannot be served.
 */
public final class DeviceProcess {
  private static final int WRONG_OPTIONS = 2;
  private static final int CANNOT_SERVE = 1;

  private DeviceProcess() {}

  public static void main(String[] arguments) throws InterruptedException {
    DeviceOptions options;
    try {
      options = DeviceOptions.parse(arguments);
    } catch (IllegalArgumentException e) {
      System.err.println("simulated device: " + e.getMessage());
      System.exit(WRONG_OPTIONS);
      return;
    }
    CountDownLatch stop = new CountDownLatch(1);
    ServedDevice device;
    try {
      device = ServedDevice.start(options, stop::countDown);
    } catch (IOException | RuntimeException e) {
      System.err.println("simulated device " + options.name() + ": " + e.getMessage());
      System.exit(CANNOT_SERVE);
      return;
    }
    Thread.setDefaultUncaughtExceptionHandler(
        (thread, failure) -> {
          System.err.println("simulated device " + options.name() + ", " + thread.getName() + ":");
          failure.printStackTrace();
          Runtime.getRuntime().exit(CANNOT_SERVE);
        });
    Runtime.getRuntime().addShutdownHook(new Thread(device::close, "stop"));
    System.out.println("READY");
    System.out.flush();
    stop.await();
    System.exit(0);
  }
}
