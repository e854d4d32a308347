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
import java.nio.ByteBuffer;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

class ChunkRoundTripTest {

  @Property(tries = 150)
  void whateverHappensBetweenTheDestinationEndsWithTheSourcesState(
      @ForAll @IntRange(min = 128, max = 40_000) int stateWords,
      @ForAll @IntRange(min = 4304, max = 70_000) int areaSize,
      @ForAll @DoubleRange(min = 0, max = 12) double pagesPerStep,
      @ForAll @Size(max = 12) List<@IntRange(max = 30) Integer> rounds,
      @ForAll @IntRange(min = 1, max = 9000) int piece)
      throws RefusalException {
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
