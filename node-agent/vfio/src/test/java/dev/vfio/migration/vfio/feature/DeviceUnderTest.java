package dev.vfio.migration.vfio.feature;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** What the tests of the v2 interface do with devices. */
final class DeviceUnderTest {
  static final String ID = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001";
  static final DriverProfile DRIVER = new DriverProfile("mtty", "mtty-1", Set.of(), "");
  static final byte[] STATE = "what the device knows".getBytes(StandardCharsets.US_ASCII);
  static final int PAGE = 4096;

  private DeviceUnderTest() {}

  /** A device that its workload holds. */
  static FeatureV2 source(DriverModel model) throws DeviceException {
    return FeatureV2.open(ID, model, DRIVER, PAGE, MigrationEnd.SOURCE, true);
  }

  /** A device that nobody held before. */
  static FeatureV2 destination(DriverModel model) throws DeviceException {
    return FeatureV2.open(ID, model, DRIVER, PAGE, MigrationEnd.DESTINATION, false);
  }

  static void lead(MigratableDevice device, DeviceState... states) throws DeviceException {
    for (DeviceState state : states) {
      device.transition(state);
      assertThat(device.state()).isEqualTo(state);
    }
  }

  static DeviceException failureOf(ThrowingCallable action) {
    DeviceException failure = catchThrowableOfType(DeviceException.class, action);
    assertThat(failure).as("it fails").isNotNull();
    assertThat(failure).hasMessageContaining(ID);
    return failure;
  }

  /** Until the device has nothing now. */
  static void read(MigratableDevice device, ByteArrayOutputStream into) throws DeviceException {
    ByteBuffer chunk = ByteBuffer.allocateDirect((int) device.maxChunkBytes());
    while (device.readState(chunk.clear()) > 0) {
      chunk.flip();
      while (chunk.hasRemaining()) {
        into.write(chunk.get());
      }
    }
  }

  static void write(MigratableDevice device, byte[] bytes) throws DeviceException {
    ByteBuffer chunk = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    device.writeState(chunk);
    assertThat(chunk.hasRemaining()).isFalse();
  }

  static byte[] streamOf(byte[] content) {
    return ByteBuffer.allocate(4 + content.length).putInt(content.length).put(content).array();
  }
}
