package dev.vfio.migration.vfio.region;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionInfoLayout;
import dev.vfio.migration.vfio.access.RegionPart;
import dev.vfio.migration.vfio.region.CapabilityChain.MalformedException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/** What a device says of a region is walked to an end inside what came, or is refused. */
class CapabilityChainFuzzTest {

  @FuzzTest(maxDuration = "1h")
  void anyRegionInfoEndsOrIsMalformed(byte[] bytes) {
    byte[] structure = Arrays.copyOf(bytes, Math.max(RegionInfoLayout.SIZE, bytes.length));
    RegionInfo info =
        RegionInfoLayout.parse(ByteBuffer.wrap(structure).order(ByteOrder.nativeOrder()));
    try {
      CapabilityChain chain = CapabilityChain.of(info);
      chain.type();
      for (RegionPart part : chain.mappableParts()) {
        assertThat(part.offset()).isNotNegative();
        assertThat(part.size()).isPositive();
        if (part.size() != info.size()) {
          assertThat(part.size()).isLessThanOrEqualTo(info.size() - part.offset());
        }
      }
    } catch (MalformedException malformed) {
      assertThat(malformed.getMessage()).isNotBlank();
    }
  }
}
