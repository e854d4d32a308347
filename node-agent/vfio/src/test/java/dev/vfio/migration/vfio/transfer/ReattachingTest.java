package dev.vfio.migration.vfio.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.transfer.machine.TransferRecord;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who says that it holds the device is believed only if it does. */
@Timeout(120)
class ReattachingTest extends ListenerFixture {
  @Test
  void whoDoesNotHoldWhatItSaysItHoldsPushesNobodyAway() throws Exception {
    try (WorkloadListener careful = newListener((device, process) -> false)) {
      careful.offer(DEVICE);
      try (TestClient honest = TestClient.waitAt(careful.socket(DEVICE), null)) {
        sentAway(careful.socket(DEVICE), "uid-1/1", 22, "does not hold the device " + DEVICE);

        assertThat(careful.waiting(DEVICE)).contains("shop-db");
        assertThat(honest.descriptors()).isEmpty();
      }
    }
  }

  @Test
  void whereItCannotBeFoundOutWhoHoldsTheDeviceNobodyIsBelieved() throws Exception {
    try (WorkloadListener careful =
        newListener(
            (device, process) -> {
              throw new IOException("two candidates");
            })) {
      careful.offer(DEVICE);

      sentAway(careful.socket(DEVICE), "uid-1/1", 16, "is not known: two candidates");
    }
  }

  @Test
  void whatTheRecordContradictsIsNotBelieved() throws Exception {
    try (WorkloadListener careful = newListener((device, process) -> true)) {
      careful.offer(DEVICE);
      record("uid-2/1", TransferRecord.Stage.DELIVERED);
      sentAway(careful.socket(DEVICE), "uid-1/1", 22, "for the migration uid-2/1 and not");

      record("uid-1/1", TransferRecord.Stage.TAKEN);
      sentAway(careful.socket(DEVICE), "uid-1/1", 22, "was taken for uid-1/1");

      record("uid-1/1", TransferRecord.Stage.TOLD);
      TestClient.waitAt(careful.socket(DEVICE), "uid-1/1").close();
    }
  }

  @Test
  void whoHoldsTheDeviceComesBeforeOneThatWouldLikeTo() throws Exception {
    record("uid-1/1", TransferRecord.Stage.DELIVERED);
    try (TestClient hopeful = TestClient.waitAt(socket, null);
        TestClient holder = TestClient.waitAt(socket, "uid-1/1");
        TestClient another = TestClient.connect(socket)) {
      assertThat(hopeful.next()).as("made room").isNull();
      assertThat(listener.await(DEVICE, LONG).holds()).isEqualTo("uid-1/1");
      another.hello("uid-1/1");
      assertThat(another.next().path("errno").asInt()).as("but only the first").isEqualTo(16);
      assertThat(holder.descriptors()).isEmpty();
    }
  }

  @Test
  void aHolderThatIsGoneBeforeItIsAnsweredEndsNothing() throws Exception {
    CountDownLatch gone = new CountDownLatch(1);
    try (WorkloadListener careful = newListener((device, process) -> passed(gone))) {
      careful.offer(DEVICE);
      try (TestClient hopeful = TestClient.waitAt(careful.socket(DEVICE), null)) {
        try (TestClient holder = TestClient.connect(careful.socket(DEVICE))) {
          holder.hello("uid-1/1");
        }
        gone.countDown();

        assertThat(hopeful.next()).as("made room").isNull();
        assertThat(careful.waiting(DEVICE)).isEmpty();
        TestClient.waitAt(careful.socket(DEVICE), null).close();
        assertThat(careful.serves()).isTrue();
      }
    }
  }

  private static boolean passed(CountDownLatch latch) throws IOException {
    try {
      return latch.await(60, TimeUnit.SECONDS);
    } catch (InterruptedException interrupted) {
      throw new IOException(interrupted);
    }
  }

  @Test
  void aLookThatHangsKeepsOnlyWhoAskedForItWaiting() throws Exception {
    CountDownLatch answers = new CountDownLatch(1);
    try (WorkloadListener careful = newListener((device, process) -> passed(answers))) {
      careful.offer(DEVICE);
      careful.offer("0000:65:00.2");
      try (TestClient reattaching = TestClient.connect(careful.socket(DEVICE))) {
        reattaching.hello("uid-1/1");

        TestClient.waitAt(careful.socket("0000:65:00.2"), null).close();
        assertThat(careful.waiting(DEVICE)).isEmpty();
        answers.countDown();
        assertThat(reattaching.next().path("ok").asBoolean()).as("let in after all").isTrue();
        assertThat(careful.waiting(DEVICE)).contains("shop-db");
      }
    }
  }

  @Test
  void whoIsNotLookedAtInTimeIsAnsweredSo() throws Exception {
    CountDownLatch answers = new CountDownLatch(1);
    try (WorkloadListener hasty =
        new WorkloadListener(
            folder.resolve("hasty"),
            folder.resolve("records"),
            Duration.ofSeconds(1),
            user -> false,
            (device, process) -> passed(answers))) {
      hasty.offer(DEVICE);
      sentAway(hasty.socket(DEVICE), "uid-1/1", 110, "could not be found out in time");
      sentAway(hasty.socket(DEVICE), "uid-1/1", 110, "could not be found out in time");
      TestClient.waitAt(hasty.socket(DEVICE), null).close();
    } finally {
      answers.countDown();
    }
  }
}
