package dev.vfio.migration.sandbox.devices.device;

import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.FAILED;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.PRECOPY;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RESUME;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RESUME_COMPLETED;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RUNNING;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.SETUP;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.STOPNCOPY;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What must not pass: each mutation is refused by the device, or found by the audit. */
class ContinuityTest {
  private static final int WINDOW = 1 << 20;

  @TempDir Path directory;

  @Test
  void stateAndWindowThatMovedWholeAreFoundWhole() throws Exception {
    Pair pair = new Pair();
    pair.move();
    AuditResult found = pair.destination.device.claim().complete();
    assertThat(found.ok()).as(found.detail()).isTrue();
    assertThat(found.pages()).isEqualTo(512);
    assertThat(found.bytes()).isEqualTo(2 << 20);
  }

  @Test
  void theAuditJudgesTheMomentItBeganThoughTheWorkloadGoesOn() throws Exception {
    Pair pair = new Pair();
    pair.move();
    DeviceModel.RunningAudit audit = pair.destination.device.claim();
    long taken = pair.destination.device.stepNumber();
    pair.destination.steps(500);
    AuditResult found = audit.complete();
    assertThat(found.ok()).as(found.detail()).isTrue();
    assertThat(found.step()).isEqualTo(taken);
    assertThat(pair.destination.device.audit().complete().ok()).isTrue();
  }

  @Test
  void aLostWindowPageIsFoundEvenIfTheWorkloadOverwritesItMeanwhile() throws Exception {
    Pair pair = new Pair();
    pair.source.fault("forget-dirty");
    pair.move();
    DeviceModel.RunningAudit audit = pair.destination.device.claim();
    // enough steps to overwrite every page of the window
    pair.destination.steps(200);
    AuditResult found = audit.complete();
    assertThat(found.ok()).isFalse();
    assertThat(found.detail()).contains("window page").contains("pages in all");
    assertThat(pair.destination.device.audit().complete().ok()).as("healed since").isTrue();
  }

  @Test
  void oneFlippedBitInTheWindowIsFound() throws Exception {
    Pair pair = new Pair();
    pair.move();
    byte[] bytes = Files.readAllBytes(pair.destinationFile);
    bytes[777_777] ^= 0x10;
    Files.write(pair.destinationFile, bytes, StandardOpenOption.WRITE);
    AuditResult found = pair.destination.device.claim().complete();
    assertThat(found.ok()).isFalse();
    assertThat(found.detail()).contains("window page " + 777_777 / 4096 + " ");
  }

  @Test
  void aStepDoneTwiceIsFound() throws Exception {
    Pair pair = new Pair();
    pair.source.fault("double-step*1");
    pair.source.steps(1);
    pair.move();
    AuditResult found = pair.destination.device.claim().complete();
    assertThat(found.ok()).isFalse();
    assertThat(found.detail()).contains("chain");
  }

  @Test
  void aWindowNewerThanTheStateIsFound() throws Exception {
    Pair pair = new Pair();
    pair.move();
    // the source wrongly goes on, and its window is copied once more
    pair.source.to(FAILED, RUNNING);
    pair.source.steps(1);
    pair.copy(0, 256);
    assertThat(pair.destination.device.claim().complete().ok()).isFalse();
  }

  @Test
  void aLostChunkIsRefused() throws Exception {
    ModelFixture source = ModelFixture.running();
    source.fault("lose-chunk=STOPNCOPY*1");
    ModelFixture destination = ModelFixture.small().to(RESUME);
    destination.loadAll(source.save());
    DeviceModelTest.refused(Errno.EINVAL, () -> destination.to(RESUME_COMPLETED));
  }

  @Test
  void aChunkThatIsLostAmongRepeatedPagesIsRefused() throws Exception {
    ModelFixture source = ModelFixture.running().to(SETUP, PRECOPY);
    List<ByteBuffer> chunks = new ArrayList<>(source.stageAll());
    source.steps(10);
    source.fault("lose-chunk=PRECOPY*1");
    chunks.addAll(source.stageAll());
    source.to(STOPNCOPY);
    chunks.addAll(source.stageAll());
    ModelFixture destination = ModelFixture.small().to(RESUME);
    destination.loadAll(chunks);
    DeviceModelTest.refused(Errno.EIO, () -> destination.to(RESUME_COMPLETED));
  }

  @Test
  void aStaleChunkThatComesLastIsRefused() throws Exception {
    ModelFixture source = ModelFixture.running().to(SETUP, PRECOPY);
    List<ByteBuffer> chunks = new ArrayList<>(source.stageAll());
    source.steps(200);
    source.to(STOPNCOPY);
    chunks.addAll(source.stageAll());
    chunks.add(chunks.get(0));
    ModelFixture destination = ModelFixture.small().to(RESUME);
    destination.loadAll(chunks);
    DeviceModelTest.refused(Errno.EIO, () -> destination.to(RESUME_COMPLETED));
  }

  @Test
  void aChunkThatComesTwiceInARowDoesNoHarm() throws Exception {
    List<ByteBuffer> chunks = new ArrayList<>(ModelFixture.running().save());
    chunks.add(2, chunks.get(1));
    ModelFixture destination = ModelFixture.small().to(RESUME);
    destination.loadAll(chunks);
    destination.to(RESUME_COMPLETED, RUNNING);
    assertThat(destination.device.claim().complete().ok()).isTrue();
  }

  @Test
  void chunksOfTwoSavesCannotBeMixed() throws Exception {
    ModelFixture source = ModelFixture.running();
    List<ByteBuffer> first = source.save();
    source.to(FAILED, RUNNING);
    List<ByteBuffer> second = source.save();
    ModelFixture destination = ModelFixture.small().to(RESUME);
    destination.device.load(first.get(0));
    DeviceModelTest.refused(Errno.EINVAL, () -> destination.device.load(second.get(1)));
  }

  @Test
  void anyFlippedBitIsRefusedAtOnceOrAtTheEnd() throws Exception {
    List<ByteBuffer> chunks = ModelFixture.running().save();
    Random random = new Random(7);
    for (int round = 0; round < 300; round++) {
      int victim = random.nextInt(chunks.size());
      ByteBuffer damaged = ByteBuffer.allocate(chunks.get(victim).limit());
      damaged.put(chunks.get(victim).duplicate()).flip();
      // half of the rounds in headers, where a bit is rarer but means more
      int bytes = round % 2 == 0 ? Math.min(128, damaged.limit()) : damaged.limit();
      int at = random.nextInt(bytes);
      damaged.put(at, (byte) (damaged.get(at) ^ 1 << random.nextInt(8)));
      ModelFixture destination = ModelFixture.small().to(RESUME);
      boolean refused = false;
      try {
        for (int index = 0; index < chunks.size(); index++) {
          destination.device.load(index == victim ? damaged : chunks.get(index).duplicate());
        }
        destination.to(RESUME_COMPLETED);
      } catch (RefusalException e) {
        refused = true;
      }
      assertThat(refused).as("bit in byte %d of chunk %d", at, victim).isTrue();
    }
  }

  @Test
  void afterCorruptDataTheDeviceTakesNothingMore() throws Exception {
    ModelFixture source = ModelFixture.running();
    source.fault("corrupt-data=STOPNCOPY*1");
    List<ByteBuffer> chunks = source.save();
    ModelFixture destination = ModelFixture.small().to(RESUME);
    DeviceModelTest.refused(Errno.EINVAL, () -> destination.device.load(chunks.get(0)));
    DeviceModelTest.refused(Errno.EIO, () -> destination.device.load(chunks.get(1)));
    DeviceModelTest.refused(Errno.EIO, () -> destination.to(RESUME_COMPLETED));
    destination.to(FAILED);
    destination.device.reset();
    destination.to(RESUME);
    destination.loadAll(ModelFixture.running().save());
    destination.to(RESUME_COMPLETED);
  }

  @Test
  void aStateOfAnotherSizeIsRefused() throws Exception {
    ModelFixture destination = new ModelFixture(2 << 20, 1 << 16, null, 1).to(RESUME);
    DeviceModelTest.refused(
        Errno.EINVAL, () -> destination.device.load(ModelFixture.running().save().get(0)));
  }

  @Test
  void anAuditEndsWhenTheDeviceLosesItsState() throws Exception {
    Pair pair = new Pair();
    pair.move();
    DeviceModel.RunningAudit audit = pair.destination.device.claim();
    pair.destination.device.reset();
    DeviceModelTest.refused(Errno.ESTALE, audit::complete);
  }

  /** Two devices with a window each. */
  private final class Pair {
    final Path sourceFile = directory.resolve("source");
    final Path destinationFile = directory.resolve("destination");
    final DmaWindow sourceWindow;
    final DmaWindow destinationWindow;
    final ModelFixture source;
    final ModelFixture destination;

    Pair() throws IOException {
      sourceWindow = DmaWindow.open("ring", sourceFile, WINDOW, 4096);
      destinationWindow = DmaWindow.open("ring", destinationFile, WINDOW, 4096);
      source = new ModelFixture(1 << 20, 1 << 16, sourceWindow, 1.7);
      destination = new ModelFixture(1 << 20, 1 << 16, destinationWindow, 9);
      source.device.powerOn();
      source.steps(33);
    }

    /** With steps between the first copy and the last, so that there is something to lose. */
    void move() throws RefusalException {
      destination.to(RESUME);
      source.to(SETUP);
      copy(0, 256);
      source.steps(20);
      source.to(STOPNCOPY);
      ByteBuffer bitmap = ByteBuffer.allocate(64);
      int covered = source.device.reportDirty(DmaWindow.ADDRESS, 256, bitmap);
      for (int page = 0; page < covered; page++) {
        if ((bitmap.get(page / 8) >> page % 8 & 1) != 0) {
          copy(page, page + 1);
        }
      }
      destination.loadAll(source.stageAll());
      destination.to(RESUME_COMPLETED, RUNNING);
    }

    private void copy(int from, int end) {
      long[] words = new long[512];
      for (int page = from; page < end; page++) {
        sourceWindow.read(page, words);
        destinationWindow.write(page, words);
      }
    }
  }
}
