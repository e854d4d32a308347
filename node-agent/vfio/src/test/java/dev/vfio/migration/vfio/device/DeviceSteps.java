package dev.vfio.migration.vfio.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.device.DeviceException.Kind;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** What the tests of every interface do with a device. */
public final class DeviceSteps {
  public static final String ID = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001";

  private DeviceSteps() {}

  public static void lead(MigratableDevice device, DeviceState... states) throws DeviceException {
    for (DeviceState state : states) {
      device.transition(state);
      assertThat(device.state()).isEqualTo(state);
    }
  }

  /** The failure of an action on the device {@link #ID}, which its message names. */
  public static DeviceException failureOf(ThrowingCallable action) {
    DeviceException failure = catchThrowableOfType(DeviceException.class, action);
    assertThat(failure).as("it fails").isNotNull().hasMessageContaining(ID);
    return failure;
  }

  /** As {@link #failureOf(ThrowingCallable)}, and the failure is of that kind. */
  public static DeviceException failureOf(Kind kind, ThrowingCallable action) {
    DeviceException failure = failureOf(action);
    assertThat(failure.kind()).isEqualTo(kind);
    return failure;
  }

  /** Reads until the device has nothing now. */
  public static void read(MigratableDevice device, ByteArrayOutputStream into)
      throws DeviceException {
    ByteBuffer chunk = ByteBuffer.allocateDirect((int) device.maxChunkBytes());
    while (device.readState(chunk.clear()) > 0) {
      chunk.flip();
      while (chunk.hasRemaining()) {
        into.write(chunk.get());
      }
    }
  }

  public static void write(MigratableDevice device, byte[] bytes) throws DeviceException {
    ByteBuffer chunk = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    device.writeState(chunk);
    assertThat(chunk.hasRemaining()).isFalse();
  }
}
