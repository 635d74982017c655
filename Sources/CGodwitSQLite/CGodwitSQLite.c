#include "CGodwitSQLite.h"
