package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionPart;
import java.nio.ByteBuffer;
import java.util.List;

/** A device that refuses every question about a region: the v2 interface needs none. */
abstract class AccessWithoutRegions implements FeatureAccess {

  @Override
  public RegionInfo regionInfo(int index) throws AccessException {
    throw DriverModel.refused(DriverModel.EINVAL);
  }

  @Override
  public int readRegion(int index, long offset, ByteBuffer into) throws AccessException {
    throw DriverModel.refused(DriverModel.EINVAL);
  }

  @Override
  public int writeRegion(int index, long offset, ByteBuffer from) throws AccessException {
    throw DriverModel.refused(DriverModel.EINVAL);
  }

  @Override
  public List<DirectArea> directAreas(RegionInfo info, List<RegionPart> parts) {
    return List.of();
  }
}
