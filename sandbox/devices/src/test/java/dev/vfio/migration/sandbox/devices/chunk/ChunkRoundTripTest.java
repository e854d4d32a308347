package dev.vfio.migration.sandbox.devices.chunk;

import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.PRECOPY;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RESUME;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RESUME_COMPLETED;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.RUNNING;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.SETUP;
import static dev.vfio.migration.sandbox.devices.lifecycle.DeviceState.STOPNCOPY;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.devices.device.AuditResult;
import dev.vfio.migration.sandbox.devices.device.ModelFixture;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import dev.vfio.migration.sandbox.generators.Generator;
import dev.vfio.migration.sandbox.generators.Seeds;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

class ChunkRoundTripTest {

  @Test
  void whateverHappensBetweenTheDestinationEndsWithTheSourcesState() {
    Seeds.check(150, ChunkRoundTripTest::endsWithTheSourcesState);
  }

  private static void endsWithTheSourcesState(Generator values) throws RefusalException {
    int stateWords = values.integer(128, 40_000);
    int areaSize = values.integer(4304, 70_000);
    double pagesPerStep = values.decimal(0, 12);
    List<Integer> rounds = values.list(0, 12, () -> values.integer(0, 30));
    int piece = values.integer(1, 9000);
    ModelFixture source = new ModelFixture(stateWords * 8L, areaSize, null, pagesPerStep);
    ModelFixture destination = new ModelFixture(stateWords * 8L, areaSize, null, 1);
    source.device.powerOn();
    source.steps(17);
    source.to(SETUP, PRECOPY);
    destination.to(RESUME);
    for (int round : rounds) {
      source.steps(round);
      for (int chunk = 0; chunk < round / 3; chunk++) {
        load(destination, source.stage(), piece);
      }
    }
    source.to(STOPNCOPY);
    for (ByteBuffer chunk : source.stageAll()) {
      load(destination, chunk, piece);
    }
    destination.to(RESUME_COMPLETED, RUNNING);
    AuditResult found = destination.device.claim().complete();
    assertThat(found.ok()).as(found.detail()).isTrue();
    assertThat(destination.device.status().chain()).isEqualTo(source.device.status().chain());
    destination.steps(40);
    assertThat(destination.device.audit().complete().ok()).isTrue();
  }

  private static void load(ModelFixture destination, ByteBuffer chunk, int piece)
      throws RefusalException {
    for (int done = 0; done < chunk.limit(); done += piece) {
      destination.device.load(chunk.slice(done, Math.min(piece, chunk.limit() - done)));
    }
  }
}
