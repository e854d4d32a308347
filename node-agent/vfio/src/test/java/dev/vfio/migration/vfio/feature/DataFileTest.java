package dev.vfio.migration.vfio.feature;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/** Exactly one owner closes each data file, whenever it comes. */
class DataFileTest {
  private final DriverModel model = DriverModel.ofAll();
  private final DataFile file = new DataFile();

  @Test
  void aStreamThatBeginsEndsTheOneBefore() {
    file.begin(model.stateFile(model.spareFile()));
    file.begin(model.stateFile(model.spareFile()));
    assertThat(model.openFiles()).isEqualTo(1);
    file.close();
    file.close();
    assertThat(model.openFiles()).isZero();
    assertThat(file.isOpen()).isFalse();
  }

  @Test
  void aStreamThatBeginsAfterTheDeviceWasClosedIsClosedAtOnce() {
    file.closeForGood();
    file.begin(model.stateFile(model.spareFile()));
    assertThat(model.openFiles()).isZero();
    AccessException failure =
        catchThrowableOfType(
            AccessException.class, () -> file.read(ByteBuffer.allocateDirect(8), true));
    assertThat(failure.reason()).isEqualTo(Reason.REFUSED);
  }

  @Test
  void whatOneStreamRefusedIsForgottenWithTheNext() throws AccessException {
    model.in("RESUMING");
    file.begin(model.stateFile(model.spareFile()));
    ByteBuffer bad = ByteBuffer.allocateDirect(1).put((byte) 0xee).flip();
    catchThrowableOfType(AccessException.class, () -> file.write(bad));
    assertThat(file.isBroken()).isTrue();
    file.begin(model.stateFile(model.spareFile()));
    assertThat(file.isBroken()).isFalse();
  }

  @Test
  void theEndIsTheEndOfOneStreamOnly() throws AccessException {
    model.in("STOP_COPY");
    file.begin(model.stateFile(model.spareFile()));
    assertThat(file.read(ByteBuffer.allocateDirect(8), true)).isZero();
    assertThat(file.ended()).isTrue();
    assertThat(file.read(ByteBuffer.allocateDirect(8), true)).isZero();
    file.begin(model.stateFile(model.spareFile()));
    assertThat(file.ended()).isFalse();
  }
}
